import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./cross_entropy.wgsl" with { type: "text" };
import reduce from "./shared/reduce.wgsl" with { type: "text" };
import { rowwiseVariants } from "./shared/rowwise.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** losses (R) from logits (R, V), which become their own gradient. */
export const crossEntropy = defineKernel({
  name: "cross_entropy",
  source: source + reduce + step,
  bindings: { step: "uniform", targets: "read", logits: "read_write", losses: "read_write" },
  dims: { rows: "u32", vocabulary: "u32", stride: "u32", gradient: "u32" },
  variants: rowwiseVariants(),
  cost: ({ rows, vocabulary }) => ({ flops: 8 * rows * vocabulary, bytes: 8 * rows * vocabulary }),
});
