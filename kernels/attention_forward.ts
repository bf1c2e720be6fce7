import { defineKernel } from "#src/gpu/kernel.ts";
import * as lanes from "./attention_lanes.ts";
import source from "./attention_forward.wgsl" with { type: "text" };
import simple from "./attention_forward_simple.wgsl" with { type: "text" };
import * as tiles from "./attention_tiles.ts";
import { dropoutSource } from "./shared/dropout.ts";
import { HEAD_DIMS, headVariants } from "./shared/head_vectors.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** y (B·T, C) and lse (B, H, T) from qkv (B·T, 3C). */
export const attentionForward = defineKernel({
  name: "attention_forward",
  source: source + dropoutSource + step,
  bindings: { step: "uniform", qkv: "matrix", y: "matrix_write", lse: "read_write" },
  dims: HEAD_DIMS,
  variants: [
    ...lanes.laneVariants((headSize) => ({ held: 2, step: headSize <= 32 ? 4 : 2 }), lanes.emitForward),
    tiles.tileVariant(tiles.emitForward),
    ...headVariants(simple),
  ],
  // Half of the T × T pairs, two products of D multiply-adds each.
  cost: ({ batch, heads, context, head_size }) => ({
    flops: 2 * batch * heads * context * context * head_size,
    bytes: 16 * batch * context * heads * head_size,
  }),
});
