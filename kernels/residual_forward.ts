import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./residual_forward.wgsl" with { type: "text" };
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** y (N, C) = x + dropout(branch). */
export const residualForward = defineKernel({
  name: "residual_forward",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", x: "read", branch: "read", y: "read_write" },
  dims: { elements: "u32", channels: "u32", site: "u32", dropout: "f32" },
  variants: [{
    name: "elementwise",
    constants: dropoutConstant,
    workgroups: ({ elements }) => Math.ceil(elements / 64),
  }],
  cost: ({ elements }) => ({ flops: elements, bytes: 12 * elements }),
});
