import { defineKernel } from "#src/gpu/kernel.ts";
import * as lanes from "./attention_lanes.ts";
import source from "./attention_backward_query.wgsl" with { type: "text" };
import simple from "./attention_backward_query_simple.wgsl" with { type: "text" };
import * as tiles from "./attention_tiles.ts";
import { dropoutSource } from "./shared/dropout.ts";
import { HEAD_DIMS, headVariants } from "./shared/head_vectors.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** The queries' part of dqkv (B·T, 3C), and delta (B, H, T) for the keys' and values' kernel. */
export const attentionBackwardQuery = defineKernel({
  name: "attention_backward_query",
  source: source + dropoutSource + step,
  bindings: {
    step: "uniform",
    qkv: "matrix",
    y: "matrix",
    dy: "matrix",
    lse: "read",
    delta: "read_write",
    dqkv: "matrix_write",
  },
  dims: HEAD_DIMS,
  variants: [
    ...lanes.laneVariants((headSize) => ({ held: 2, step: headSize <= 32 ? 4 : 2 }), lanes.emitBackwardQuery),
    tiles.tileVariant(tiles.emitBackwardQuery),
    ...headVariants(simple),
  ],
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 3 * batch * heads * context * context * head_size,
    bytes: 24 * batch * context * heads * head_size,
  }),
});
