import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./dropout.wgsl" with { type: "text" };
import random from "./shared/random.wgsl" with { type: "text" };
import step from "./shared/step.wgsl" with { type: "text" };

/** y (N, C) = dropout(x); the gradient of a dropout is the same dropout of the gradient. */
export const dropout = defineKernel({
  name: "dropout",
  source: source + random + step,
  bindings: { step: "uniform", x: "read", y: "read_write" },
  dims: { elements: "u32", channels: "u32", site: "u32", dropout: "f32" },
  variants: [{ name: "elementwise", workgroups: ({ elements }) => Math.ceil(elements / 64) }],
  cost: ({ elements }) => ({ flops: elements, bytes: 8 * elements }),
});
