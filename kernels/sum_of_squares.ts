import { defineKernel } from "#src/gpu/kernel.ts";
import reduce from "./shared/reduce.wgsl" with { type: "text" };
import { SUM_VECTORS } from "./shared/sum_vectors.ts";
import source from "./sum_of_squares.wgsl" with { type: "text" };

/** partials (⌈vectors / SUM_VECTORS⌉, from `first_partial` on) of the sum of squares of x. */
export const sumOfSquares = defineKernel({
  name: "sum_of_squares",
  source: source + reduce,
  bindings: { x: "read", partials: "read_write" },
  dims: { vectors: "u32", first_partial: "u32" },
  variants: [{
    name: "two stages",
    constants: () => ({ WORKGROUP: 64, VECTORS: SUM_VECTORS }),
    workgroups: ({ vectors }) => Math.ceil(vectors / SUM_VECTORS),
  }],
  cost: ({ vectors }) => ({ flops: 8 * vectors, bytes: 16 * vectors }),
});
