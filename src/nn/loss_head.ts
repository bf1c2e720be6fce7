import { crossEntropy } from "#kernels/cross_entropy.ts";
import { lossSum } from "#kernels/loss_sum.ts";
import { matmulNN, matmulNT, matmulTN } from "#kernels/matmul.ts";
import { type BufferRange, rows as rowsOf, type Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import type { Shard } from "./embedding.ts";
import { chunkRows, logitsStride } from "./logits_chunk.ts";

/**
 * The tied linear head and its loss. Logits exist for a chunk of rows at a time, where softmax, loss and gradient take
 * turns in one buffer: (N, V) would be the largest tensor of a small model with a large vocabulary.
 */

export interface LossHeadTensors {
  step: BufferRange;
  /** (N, C): the final LayerNorm's output. */
  x: Tensor;
  /** (V, C): the token embedding. */
  table: readonly Shard[];
  /** (N): 0xFFFFFFFF is no target. */
  targets: BufferRange;
  /** (chunkRows, logitsStride): scratch. */
  logits: Tensor;
  /** (N): each row's loss; 0 without a target. */
  losses: Tensor;
  /** (1): grows by their sum. */
  total: BufferRange;
}

/** Losses; with `gradients`, also dx (N, C) of the mean loss, and dtable (V, C) grows by its own. */
export function recordLossHead(
  plan: Plan,
  { step, x, table, targets, logits, losses, total }: LossHeadTensors,
  gradients: { dx: Tensor; dtable: readonly Shard[] } | null,
  { rows, channels, vocabulary }: { rows: number; channels: number; vocabulary: number },
): void {
  const stride = logitsStride(vocabulary);
  const chunk = chunkRows(rows, vocabulary);
  for (let start = 0; start < rows; start += chunk) {
    const count = Math.min(chunk, rows - start);
    const xChunk = rowsOf(x, start, count);
    for (const shard of table) {
      plan.record(matmulNT, { a: xChunk, b: shard, c: columnsOf(logits, shard.firstRow) }, {
        m: count,
        n: shard.shape[0],
        k: channels,
        a_stride: channels,
        b_stride: channels,
        c_stride: stride,
        accumulate: 0,
      });
    }
    const targetsChunk = { buffer: targets.buffer, offset: targets.offset + 4 * start, size: 4 * count };
    plan.record(crossEntropy, { step, targets: targetsChunk, logits, losses: rowsOf(losses, start, count) }, {
      rows: count,
      vocabulary,
      stride,
      gradient: gradients ? 1 : 0,
    });
    if (!gradients) continue;
    const dxChunk = rowsOf(gradients.dx, start, count);
    for (const [index, shard] of table.entries()) {
      const dlogits = columnsOf(logits, shard.firstRow);
      plan.record(matmulNN, { a: dlogits, b: shard, c: dxChunk }, {
        m: count,
        n: channels,
        k: shard.shape[0],
        a_stride: stride,
        b_stride: channels,
        c_stride: channels,
        accumulate: index > 0 ? 1 : 0,
      });
      plan.record(matmulTN, { a: dlogits, b: xChunk, c: gradients.dtable[index] }, {
        m: shard.shape[0],
        n: channels,
        k: count,
        a_stride: stride,
        b_stride: channels,
        c_stride: channels,
        accumulate: 1,
      });
    }
  }
  plan.record(lossSum, { losses, total }, { rows });
}

/** The part of `logits` from a column on: shards begin at multiples of 64 rows, and so on a binding's alignment. */
function columnsOf(logits: Tensor, firstColumn: number): BufferRange {
  return { buffer: logits.buffer, offset: logits.offset + 4 * firstColumn, size: logits.size - 4 * firstColumn };
}

/** logits (V) of one row x (C): the head when generating. */
export function recordLogits(
  plan: Plan,
  { x, table, logits }: { x: Tensor; table: readonly Shard[]; logits: Tensor },
  { channels, vocabulary }: { channels: number; vocabulary: number },
): void {
  for (const shard of table) {
    plan.record(matmulNT, { a: x, b: shard, c: columnsOf(logits, shard.firstRow) }, {
      m: 1,
      n: shard.shape[0],
      k: channels,
      a_stride: channels,
      b_stride: channels,
      c_stride: logitsStride(vocabulary),
      accumulate: 0,
    });
  }
}
