import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./embedding_backward.wgsl" with { type: "text" };

/** dtable (V, C) += rows of dx (N, C) gathered by token; one dispatch for each shard of the table. */
export const embeddingBackward = defineKernel({
  name: "embedding_backward",
  source,
  bindings: { tokens: "read", order: "read", segments: "read", dx: "read", dtable: "read_write" },
  dims: { rows: "u32", channels: "u32", first_token: "u32", shard_rows: "u32" },
  // As many segments as rows, should every token differ; invocations of missing segments end at once.
  variants: [{ name: "segmented", workgroups: ({ rows, channels }) => Math.ceil(rows * channels / 64) }],
  cost: ({ rows, channels }) => ({ flops: rows * channels, bytes: 12 * rows * channels }),
});
