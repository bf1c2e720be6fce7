import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./dropout.wgsl" with { type: "text" };
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import step from "./shared/step.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

type Dims = Record<"rows" | "channels" | "dropout", number>;

/** y (N, C) = dropout(x); the gradient of a dropout is the same dropout of the gradient. */
export const dropout = defineKernel({
  name: "dropout",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", x: "matrix", y: "matrix_write" },
  dims: { rows: "u32", channels: "u32", site: "u32", dropout: "f32" },
  variants: tileVariants(({ rows, channels }: Dims) => ({ rows, columns: channels }), { constants: dropoutConstant }),
  cost: ({ rows, channels }) => ({ flops: rows * channels, bytes: 8 * rows * channels }),
});
