import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./dropout.wgsl" with { type: "text" };
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** y (N, C) = dropout(x); the gradient of a dropout is the same dropout of the gradient. */
export const dropout = defineKernel({
  name: "dropout",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", x: "read", y: "read_write" },
  dims: { elements: "u32", channels: "u32", site: "u32", dropout: "f32" },
  variants: [{
    name: "elementwise",
    constants: dropoutConstant,
    workgroups: ({ elements }) => Math.ceil(elements / 64),
  }],
  cost: ({ elements }) => ({ flops: elements, bytes: 8 * elements }),
});
