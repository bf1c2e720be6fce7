import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./checksum.wgsl" with { type: "text" };

const WORKGROUP = 64;

/** Columns that one sum covers. */
export const CHECKSUM_COLUMNS = 64;

export function checksumBlocks({ rows, columns }: { rows: number; columns: number }): number {
  return rows * Math.ceil(columns / CHECKSUM_COLUMNS);
}

/** sums (rows, blocks, 2) of x (rows, columns): what a tuner compares instead of matrices. */
export const checksum = defineKernel({
  name: "checksum",
  source,
  bindings: { x: "matrix", sums: "read_write" },
  dims: { rows: "u32", columns: "u32" },
  variants: [{
    name: "a block an invocation",
    constants: () => ({ WORKGROUP }),
    workgroups: (dims) => Math.ceil(checksumBlocks(dims) / WORKGROUP),
  }],
  cost: ({ rows, columns }) => ({ flops: 4 * rows * columns, bytes: 4 * rows * columns }),
});
