import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./copy_matrix.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

type Size = Record<"rows" | "columns", number>;

/** y (rows, columns) = x, in any storage. */
export const copyMatrix = defineKernel({
  name: "copy_matrix",
  source,
  bindings: { x: "matrix", y: "matrix_write" },
  dims: { rows: "u32", columns: "u32" },
  variants: tileVariants(({ rows, columns }: Size) => ({ rows, columns })),
  cost: ({ rows, columns }) => ({ flops: 0, bytes: 8 * rows * columns }),
});
