import { chunkRows, logitsStride } from "../nn/logits_chunk.ts";
import type { ModelConfig } from "./config.ts";

/** Shapes of what the forward pass keeps for the backward pass, and of scratch; the only table of them. */
export type ActivationShapes = Record<string, readonly number[]>;

export interface BlockActivations<T> {
  ln1: T; // (N, C)
  mean1: T; // (N)
  rstd1: T; // (N)
  qkv: T; // (N, 3C)
  attention: T; // (N, C)
  lse: T; // (B, H, T)
  middle: T; // (N, C) the residual stream between attention and MLP
  ln2: T; // (N, C)
  mean2: T; // (N)
  rstd2: T; // (N)
  hidden: T; // (N, 4C) before GELU
  gelu: T; // (N, 4C)
  output: T; // (N, C) the residual stream after the block
}

export interface SharedActivations<T> {
  embedded: T; // (N, C)
  dropped: T; // (N, C) after the embedding's dropout; (1) without
  branch: T; // (N, C) what a block's half adds to the residual stream
  final: T; // (N, C)
  finalMean: T; // (N)
  finalRstd: T; // (N)
  logits: T; // (chunk, V to a whole vec4)
  losses: T; // (N)
  dresidual: T; // (N, C) the gradient of the residual stream, all the way down
  dbranch: T; // (N, C) its dropout; (1) without
  dnormed: T; // (N, C) the gradient of a LayerNorm's or the attention's output
  dqkv: T; // (N, 3C)
  dhidden: T; // (N, 4C)
  delta: T; // (B, H, T)
  selected: T; // (C) the row that predicts the next token, when generating
}

export function blockShapes(config: ModelConfig, batchSize: number): BlockActivations<readonly number[]> {
  const { n_embd: C, n_head: H, context_length: T } = config;
  const N = batchSize * T;
  return {
    ln1: [N, C],
    mean1: [N],
    rstd1: [N],
    qkv: [N, 3 * C],
    attention: [N, C],
    lse: [batchSize, H, T],
    middle: [N, C],
    ln2: [N, C],
    mean2: [N],
    rstd2: [N],
    hidden: [N, 4 * C],
    gelu: [N, 4 * C],
    output: [N, C],
  };
}

export function sharedShapes(config: ModelConfig, batchSize: number): SharedActivations<readonly number[]> {
  const { n_embd: C, n_head: H, context_length: T, vocab_size: V, dropout } = config;
  const N = batchSize * T;
  const onlyWithDropout = dropout > 0 ? [N, C] : [1];
  return {
    embedded: [N, C],
    dropped: onlyWithDropout,
    branch: [N, C],
    final: [N, C],
    finalMean: [N],
    finalRstd: [N],
    logits: [chunkRows(N, V), logitsStride(V)],
    losses: [N],
    dresidual: [N, C],
    dbranch: onlyWithDropout,
    dnormed: [N, C],
    dqkv: [N, 3 * C],
    dhidden: [N, 4 * C],
    delta: [batchSize, H, T],
    selected: [C],
  };
}

/**
 * Texels of the textures that a software adapter's matmuls read, if it reads faster so: the corner of one holds any
 * operand of a block's linear layers, activations (N, C … 4C) and weights ((C … 4C), (C … 4C)). Larger than a texture
 * may be, it is cut: what does not fit is read from its buffer.
 */
export function operandTexels(
  { n_embd: C, context_length: T }: ModelConfig,
  batchSize: number,
  largest: number,
): { width: number; height: number } {
  return { width: Math.min(C, largest), height: Math.min(Math.max(batchSize * T, 4 * C), largest) };
}
