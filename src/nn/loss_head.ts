import { crossEntropy, crossEntropyTextures } from "#kernels/cross_entropy.ts";
import { lossSum } from "#kernels/loss_sum.ts";
import { matmulNN, matmulNNAdd, matmulNT, matmulTN } from "#kernels/matmul.ts";
import { type Matrix, matrixColumns, matrixRows } from "../gpu/matrix.ts";
import { type BufferRange, rows as rowsOf, type Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import type { TableShard } from "./embedding.ts";
import { NO_DROPOUT } from "./linear.ts";
import { chunkRows } from "./logits_chunk.ts";

/**
 * The tied linear head and its loss. Logits exist for a chunk of rows at a time: (N, V) would be the largest tensor of a
 * small model with a large vocabulary. In a buffer, softmax, loss and gradient take turns in place; a texture cannot be
 * read and written at once, so that the gradient has one of its own.
 */

export interface LossHeadTensors {
  step: BufferRange;
  /** (N, C): the final LayerNorm's output. */
  x: Matrix;
  /** (V, C): the token embedding. */
  table: readonly TableShard[];
  /** (N): 0xFFFFFFFF is no target. */
  targets: BufferRange;
  /** (chunk, V): scratch. */
  logits: Matrix;
  /** (chunk, V): scratch; the same as `logits` where that is in a buffer. */
  dlogits: Matrix;
  /** (1): what gradients are multiplied by, so that they do not vanish in f16. */
  loss_scale: BufferRange;
  /** (N): each row's loss; 0 without a target. */
  losses: Tensor;
  /** (1): grows by their sum. */
  total: BufferRange;
}

export interface LossHeadGradients {
  /** (N, C) of the mean loss; in a buffer where the table is split. */
  dx: Matrix;
  /** (V, C): grows. */
  dtable: readonly TableShard[];
}

export function recordLossHead(
  plan: Plan,
  { step, x, table, targets, logits, dlogits, loss_scale, losses, total }: LossHeadTensors,
  gradients: LossHeadGradients | null,
  { rows, channels, vocabulary }: { rows: number; channels: number; vocabulary: number },
): void {
  const chunk = chunkRows(rows, vocabulary);
  for (let start = 0; start < rows; start += chunk) {
    const count = Math.min(chunk, rows - start);
    const xChunk = matrixRows(x, start, count);
    recordLogits(plan, { x: xChunk, table, logits }, { rows: count, channels });
    const targetsChunk = { buffer: targets.buffer, offset: targets.offset + 4 * start, size: 4 * count };
    const inputs = { step, targets: targetsChunk, loss_scale, losses: rowsOf(losses, start, count) };
    const dims = { rows: count, vocabulary, gradient: gradients ? 1 : 0 };
    if (logits.storage.kind === "texture") {
      plan.record(crossEntropyTextures, { ...inputs, logits, dlogits }, dims);
    } else plan.record(crossEntropy, { ...inputs, logits }, dims);
    if (!gradients) continue;
    const dxChunk = matrixRows(gradients.dx, start, count);
    for (const [index, shard] of table.entries()) {
      const a = matrixColumns(dlogits, shard.firstRow, shard.rows);
      const into = { m: count, n: channels, k: shard.rows, ...NO_DROPOUT };
      plan.record(index === 0 ? matmulNN : matmulNNAdd, { a, b: shard, c: dxChunk }, into);
      const ofTable = { m: shard.rows, n: channels, k: count, ...NO_DROPOUT };
      plan.record(matmulTN, { a, b: xChunk, c: gradients.dtable[index] }, ofTable);
    }
  }
  plan.record(lossSum, { losses, total }, { rows });
}

/** logits (rows, V) = x (rows, C) · tableᵀ. */
export function recordLogits(
  plan: Plan,
  { x, table, logits }: { x: Matrix; table: readonly TableShard[]; logits: Matrix },
  { rows, channels }: { rows: number; channels: number },
): void {
  for (const shard of table) {
    const c = matrixColumns(logits, shard.firstRow, shard.rows);
    plan.record(matmulNT, { a: x, b: shard, c }, { m: rows, n: shard.rows, k: channels, ...NO_DROPOUT });
  }
}
