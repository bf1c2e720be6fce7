import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_forward.wgsl" with { type: "text" };
import reduce from "./shared/reduce.wgsl" with { type: "text" };
import { rowwiseVariants } from "./shared/rowwise.ts";

/** y (N, C) = LayerNorm(x); keeps mean and rstd (N) for the backward pass. */
export const layernormForward = defineKernel({
  name: "layernorm_forward",
  source: source + reduce,
  bindings: { x: "read", weight: "read", bias: "read", y: "read_write", mean: "read_write", rstd: "read_write" },
  dims: { rows: "u32", channels: "u32", epsilon: "f32" },
  variants: rowwiseVariants(),
  cost: ({ rows, channels }) => ({ flops: 8 * rows * channels, bytes: 8 * rows * channels }),
});
