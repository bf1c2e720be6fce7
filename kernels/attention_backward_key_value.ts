import { defineKernel } from "#src/gpu/kernel.ts";
import * as lanes from "./attention_lanes.ts";
import source from "./attention_backward_key_value.wgsl" with { type: "text" };
import simple from "./attention_backward_key_value_simple.wgsl" with { type: "text" };
import * as tiles from "./attention_tiles.ts";
import { dropoutSource } from "./shared/dropout.ts";
import { HEAD_DIMS, headVariants } from "./shared/head_vectors.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** The keys' and values' parts of dqkv (B·T, 3C). */
export const attentionBackwardKeyValue = defineKernel({
  name: "attention_backward_key_value",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", qkv: "matrix", dy: "matrix", lse: "read", delta: "read", dqkv: "matrix_write" },
  dims: HEAD_DIMS,
  variants: [
    ...lanes.laneVariants(
      (headSize) => headSize <= 32 ? { held: 2, step: 4 } : { held: 1, step: 2 },
      lanes.emitBackwardKeyValue,
    ),
    tiles.tileVariant(tiles.emitBackwardKeyValue),
    ...headVariants(simple),
  ],
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 4 * batch * heads * context * context * head_size,
    bytes: 24 * batch * context * heads * head_size,
  }),
});
