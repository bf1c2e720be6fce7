import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./attention_backward_query.wgsl" with { type: "text" };
import { headVariants } from "./shared/head_vectors.ts";
import random from "./shared/random.wgsl" with { type: "text" };
import step from "./shared/step.wgsl" with { type: "text" };

/** The queries' part of dqkv (B, T, 3C). */
export const attentionBackwardQuery = defineKernel({
  name: "attention_backward_query",
  source: source + random + step,
  bindings: { step: "uniform", qkv: "read", dy: "read", lse: "read", delta: "read", dqkv: "read_write" },
  dims: { batch: "u32", heads: "u32", context: "u32", head_size: "u32", site: "u32", dropout: "f32" },
  variants: headVariants(),
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 3 * batch * heads * context * context * head_size,
    bytes: 20 * batch * context * heads * head_size,
  }),
});
