import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./attention_backward_delta.wgsl" with { type: "text" };
import { headVariants } from "./shared/head_vectors.ts";

/** delta (B, H, T) from dy, y (B, T, C). */
export const attentionBackwardDelta = defineKernel({
  name: "attention_backward_delta",
  source,
  bindings: { dy: "read", y: "read", delta: "read_write" },
  dims: { batch: "u32", heads: "u32", context: "u32", head_size: "u32" },
  variants: headVariants(),
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 2 * batch * heads * context * head_size,
    bytes: 8 * batch * heads * context * head_size,
  }),
});
