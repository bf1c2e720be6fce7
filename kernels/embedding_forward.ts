import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./embedding_forward.wgsl" with { type: "text" };
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import step from "./shared/step.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

type Size = Record<"rows" | "channels" | "dropout", number>;

/** x (N, C) = dropout(token table (V, C) gathered + position table (T, C)); one dispatch for each shard of the table. */
export const embeddingForward = defineKernel({
  name: "embedding_forward",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", tokens: "read", table: "matrix", positions: "matrix", x: "matrix_write" },
  dims: {
    rows: "u32",
    channels: "u32",
    context: "u32",
    first_token: "u32",
    shard_rows: "u32",
    site: "u32",
    dropout: "f32",
  },
  variants: tileVariants(({ rows, channels }: Size) => ({ rows, columns: channels }), {
    constants: dropoutConstant,
  }),
  cost: ({ rows, channels }) => ({ flops: rows * channels, bytes: 12 * rows * channels }),
});
