import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./loss_sum.wgsl" with { type: "text" };
import reduce from "./shared/reduce.wgsl" with { type: "text" };

/** total (1) += losses (N). */
export const lossSum = defineKernel({
  name: "loss_sum",
  source: source + reduce,
  bindings: { losses: "read", total: "read_write" },
  dims: { rows: "u32" },
  variants: [{ name: "one workgroup", constants: () => ({ WORKGROUP: 64 }), workgroups: () => 1 }],
  cost: ({ rows }) => ({ flops: rows, bytes: 4 * rows }),
});
