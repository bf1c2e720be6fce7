import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./attention_backward_query.wgsl" with { type: "text" };
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import { headVariants } from "./shared/head_vectors.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** The queries' part of dqkv (B, T, 3C). */
export const attentionBackwardQuery = defineKernel({
  name: "attention_backward_query",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", qkv: "read", dy: "read", lse: "read", delta: "read", dqkv: "read_write" },
  dims: { batch: "u32", heads: "u32", context: "u32", head_size: "u32", site: "u32", dropout: "f32" },
  variants: headVariants<"dropout">(dropoutConstant),
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 3 * batch * heads * context * context * head_size,
    bytes: 20 * batch * context * heads * head_size,
  }),
});
