import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./position_backward.wgsl" with { type: "text" };

/** dpositions (T, C) += dx (B, T, C) summed over the batch. */
export const positionBackward = defineKernel({
  name: "position_backward",
  source,
  bindings: { dx: "read", dpositions: "read_write" },
  dims: { batch: "u32", row_elements: "u32" },
  variants: [{ name: "elementwise", workgroups: ({ row_elements }) => Math.ceil(row_elements / 64) }],
  cost: ({ batch, row_elements }) => ({ flops: batch * row_elements, bytes: 4 * (batch + 2) * row_elements }),
});
