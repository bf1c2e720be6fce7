import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./attention_forward.wgsl" with { type: "text" };
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import { headVariants } from "./shared/head_vectors.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** y (B, T, C) and lse (B, H, T) from qkv (B, T, 3C). */
export const attentionForward = defineKernel({
  name: "attention_forward",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", qkv: "read", y: "read_write", lse: "read_write" },
  dims: { batch: "u32", heads: "u32", context: "u32", head_size: "u32", site: "u32", dropout: "f32" },
  variants: headVariants<"dropout">(dropoutConstant),
  // Half of the T × T pairs, two products of D multiply-adds each.
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 2 * batch * heads * context * context * head_size,
    bytes: 16 * batch * context * heads * head_size,
  }),
});
