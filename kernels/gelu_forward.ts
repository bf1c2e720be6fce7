import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./gelu_forward.wgsl" with { type: "text" };
import gelu from "./shared/gelu.wgsl" with { type: "text" };

/** y = GELU(x), tanh form, element by element. */
export const geluForward = defineKernel({
  name: "gelu_forward",
  source: source + gelu,
  bindings: { x: "read", y: "read_write" },
  dims: { elements: "u32" },
  variants: [{ name: "elementwise", workgroups: ({ elements }) => Math.ceil(elements / 64) }],
  cost: ({ elements }) => ({ flops: 10 * elements, bytes: 8 * elements }),
});
