import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./gelu_forward.wgsl" with { type: "text" };
import gelu from "./shared/gelu.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

/** y (rows, columns) = GELU(x), tanh form. */
export const geluForward = defineKernel({
  name: "gelu_forward",
  source: source + gelu,
  bindings: { x: "matrix", y: "matrix_write" },
  dims: { rows: "u32", columns: "u32" },
  variants: tileVariants(({ rows, columns }: Record<"rows" | "columns", number>) => ({ rows, columns })),
  cost: ({ rows, columns }) => ({ flops: 10 * rows * columns, bytes: 8 * rows * columns }),
});
