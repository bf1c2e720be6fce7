import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./gelu_backward.wgsl" with { type: "text" };
import gelu from "./shared/gelu.wgsl" with { type: "text" };

/** dx *= GELU'(x), element by element, in place. */
export const geluBackward = defineKernel({
  name: "gelu_backward",
  source: source + gelu,
  bindings: { x: "read", dx: "read_write" },
  dims: { elements: "u32" },
  variants: [{ name: "elementwise", workgroups: ({ elements }) => Math.ceil(elements / 64) }],
  cost: ({ elements }) => ({ flops: 16 * elements, bytes: 12 * elements }),
});
