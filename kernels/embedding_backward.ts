import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./embedding_backward.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

type Size = Record<"rows" | "channels", number>;

/** dtable (V, C) += rows of dx (N, C) gathered by token; one dispatch for each shard of the table. */
export const embeddingBackward = defineKernel({
  name: "embedding_backward",
  source,
  bindings: { tokens: "read", order: "read", segments: "read", dx: "matrix", dtable: "matrix_add" },
  dims: { rows: "u32", channels: "u32", first_token: "u32", shard_rows: "u32" },
  // As many segments as rows, should every token differ; invocations of missing segments end at once. Frequent tokens
  // have long segments: at 1024 × 384 and Zipf's frequencies 8 lanes a row take 0.43 ms on llvmpipe, a lane a row 0.56.
  variants: tileVariants(({ rows, channels }: Size) => ({ rows, columns: channels }), { uneven: true }),
  cost: ({ rows, channels }) => ({ flops: rows * channels, bytes: 12 * rows * channels }),
});
