import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_backward.wgsl" with { type: "text" };
import reduce from "./shared/reduce.wgsl" with { type: "text" };
import { rowwiseVariants } from "./shared/rowwise.ts";

/** dx (N, C) of LayerNorm, written or added to. */
export const layernormBackward = defineKernel({
  name: "layernorm_backward",
  source: source + reduce,
  bindings: { dy: "read", x: "read", weight: "read", mean: "read", rstd: "read", dx: "read_write" },
  dims: { rows: "u32", channels: "u32", accumulate: "u32" },
  variants: rowwiseVariants(),
  cost: ({ rows, channels }) => ({ flops: 14 * rows * channels, bytes: 16 * rows * channels }),
});
