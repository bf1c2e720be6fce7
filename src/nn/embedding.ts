import { embeddingBackward } from "#kernels/embedding_backward.ts";
import { embeddingForward } from "#kernels/embedding_forward.ts";
import { positionBackward } from "#kernels/position_backward.ts";
import type { BufferRange, Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

/** Rows `[firstRow, firstRow + shape[0])` of a table too large for one binding, or all of one that is not. */
export interface Shard extends Tensor {
  firstRow: number;
}

export interface EmbeddingDims {
  batch: number;
  context: number;
  channels: number;
}

/** x (B, T, C) = table (V, C) at tokens (B, T) + positions (T, C). */
export function recordEmbeddingForward(
  plan: Plan,
  { tokens, table, positions, x }: { tokens: BufferRange; table: readonly Shard[]; positions: Tensor; x: Tensor },
  { batch, context, channels }: EmbeddingDims,
): void {
  for (const shard of table) {
    plan.record(embeddingForward, { tokens, table: shard, positions, x }, {
      rows: batch * context,
      channels,
      context,
      first_token: shard.firstRow,
      shard_rows: shard.shape[0],
    });
  }
}

/** dtable (V, C) += dx gathered by token; dpositions (T, C) += dx over the batch. */
export function recordEmbeddingBackward(
  plan: Plan,
  { tokens, order, segments, dx, dtable, dpositions }: {
    tokens: BufferRange;
    /** (N) rows, stably sorted by token. */
    order: BufferRange;
    /** (N + 1) where each token's run starts in `order`; N past the last run. */
    segments: BufferRange;
    dx: Tensor;
    dtable: readonly Shard[];
    dpositions: Tensor;
  },
  { batch, context, channels }: EmbeddingDims,
): void {
  for (const shard of dtable) {
    plan.record(embeddingBackward, { tokens, order, segments, dx, dtable: shard }, {
      rows: batch * context,
      channels,
      first_token: shard.firstRow,
      shard_rows: shard.shape[0],
    });
  }
  plan.record(positionBackward, { dx, dpositions }, { batch, row_elements: context * channels });
}
