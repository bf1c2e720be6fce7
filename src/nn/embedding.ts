import { embeddingBackward } from "#kernels/embedding_backward.ts";
import { embeddingForward } from "#kernels/embedding_forward.ts";
import { positionBackward } from "#kernels/position_backward.ts";
import type { Matrix } from "../gpu/matrix.ts";
import type { BufferRange } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import type { DropoutSite } from "./linear.ts";

/** Rows `[firstRow, firstRow + rows)` of a table that may be split. */
export interface TableShard extends Matrix {
  firstRow: number;
}

export interface EmbeddingDims {
  batch: number;
  context: number;
  channels: number;
}

/** x (N, C) = dropout(table (V, C) at tokens (B, T) + positions (T, C)). */
export function recordEmbeddingForward(
  plan: Plan,
  { step, tokens, table, positions, x }: {
    step: BufferRange;
    tokens: BufferRange;
    table: readonly TableShard[];
    positions: Matrix;
    x: Matrix;
  },
  { batch, context, channels }: EmbeddingDims,
  dropout: DropoutSite,
): void {
  for (const shard of table) {
    plan.record(embeddingForward, { step, tokens, table: shard, positions, x }, {
      rows: batch * context,
      channels,
      context,
      first_token: shard.firstRow,
      shard_rows: shard.rows,
      ...dropout,
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
    dx: Matrix;
    dtable: readonly TableShard[];
    dpositions: Matrix;
  },
  { batch, context, channels }: EmbeddingDims,
): void {
  for (const shard of dtable) {
    plan.record(embeddingBackward, { tokens, order, segments, dx, dtable: shard }, {
      rows: batch * context,
      channels,
      first_token: shard.firstRow,
      shard_rows: shard.rows,
    });
  }
  plan.record(positionBackward, { dx, dpositions }, { batch, context, channels });
}
