import { matrixBytes, type MatrixStorage } from "../gpu/matrix.ts";
import { align, elements } from "../gpu/sizes.ts";
import { chunkRows } from "../nn/logits_chunk.ts";
import type { ModelConfig } from "./config.ts";

/**
 * What the forward pass keeps for the backward pass, and scratch; the only table of them. `describe` and the model share
 * it, so that what is planned is what is allocated.
 */

/** What the backward pass computes again instead of keeping: nothing, the attention half of a block, or all of it. */
export type Recompute = "none" | "attention" | "block";

/** A matrix of activations, or a vector of f32. */
export type ActivationSpec =
  | { kind: "matrix"; rows: number; columns: number; storage: MatrixStorage }
  | { kind: "vector"; shape: readonly number[] };

const ATTENTION_NAMES = ["ln1", "mean1", "rstd1", "qkv", "attention", "lse"] as const;
const MLP_NAMES = ["middle", "ln2", "mean2", "rstd2", "hidden", "gelu"] as const;

export interface BlockActivations<M, V> {
  ln1: M; // (N, C)
  mean1: V; // (N)
  rstd1: V; // (N)
  qkv: M; // (N, 3C)
  attention: M; // (N, C)
  lse: V; // (B, H, T)
  middle: M; // (N, C) the residual stream between attention and MLP
  ln2: M; // (N, C)
  mean2: V; // (N)
  rstd2: V; // (N)
  hidden: M; // (N, 4C) before GELU
  gelu: M; // (N, 4C)
  output: M; // (N, C) the residual stream after the block
}

export interface SharedActivations<M, V> {
  embedded: M; // (N, C) after the embedding's dropout
  final: M; // (N, C)
  finalMean: V; // (N)
  finalRstd: V; // (N)
  logits: M; // (chunk, V)
  dlogits: M; // (chunk, V); (1, 1) where the gradient takes the place of the logits
  losses: V; // (N)
  dfinal: M; // (N, C) the gradient of the final LayerNorm's output where a split table's cannot lie in dnormed; else (1, 1)
  dresidual0: M; // (N, C) the gradient of the residual stream, all the way down: read from one, written to the other
  dresidual1: M; // (N, C)
  dbranch: M; // (N, C) its dropout; (1, 1) without
  dnormed: M; // (N, C) the gradient of a LayerNorm's or the attention's output
  dwide: M; // (N, 4C) the gradient of an MLP's hidden layer; then, in its first 3C columns, that of qkv
  delta: V; // (B, H, T)
  selected: M; // (1, C) the row that predicts the next token, when generating
  unused: V; // (C) where the gradients of biases go that a model does not have
}

type BlockSpecs = BlockActivations<ActivationSpec, ActivationSpec>;
type SharedSpecs = SharedActivations<ActivationSpec, ActivationSpec>;

export interface ActivationTables {
  /** Each block has these to itself. */
  own: Partial<BlockSpecs>;
  /** The blocks take turns with these, which the backward pass computes again. */
  inTurn: Partial<BlockSpecs>;
  shared: SharedSpecs;
}

export interface ActivationOptions {
  batchSize: number;
  recompute: Recompute;
  storageOf(rows: number, columns: number): MatrixStorage;
  /** The token table lies in more than one piece, whose products add up in a buffer. */
  tableIsSplit: boolean;
}

export function activationTables(
  config: ModelConfig,
  { batchSize, recompute, storageOf, tableIsSplit }: ActivationOptions,
): ActivationTables {
  const { n_embd: C, n_head: H, context_length: T, vocab_size: V, dropout } = config;
  const N = batchSize * T;
  const matrix = (rows: number, columns: number): ActivationSpec => ({
    kind: "matrix",
    rows,
    columns,
    storage: storageOf(rows, columns),
  });
  const vector = (...shape: number[]): ActivationSpec => ({ kind: "vector", shape });
  const onlyIf = (wanted: boolean, rows: number, columns: number) => wanted ? matrix(rows, columns) : matrix(1, 1);
  const block: BlockSpecs = {
    ln1: matrix(N, C),
    mean1: vector(N),
    rstd1: vector(N),
    qkv: matrix(N, 3 * C),
    attention: matrix(N, C),
    lse: vector(batchSize, H, T),
    middle: matrix(N, C),
    ln2: matrix(N, C),
    mean2: vector(N),
    rstd2: vector(N),
    hidden: matrix(N, 4 * C),
    gelu: matrix(N, 4 * C),
    output: matrix(N, C),
  };
  const chunk = chunkRows(N, V);
  const again = new Set<string>([
    ...(recompute === "none" ? [] : ATTENTION_NAMES),
    ...(recompute === "block" ? MLP_NAMES : []),
  ]);
  const part = (taken: (name: string) => boolean) =>
    Object.fromEntries(Object.entries(block).filter(([name]) => taken(name))) as Partial<BlockSpecs>;
  return {
    own: part((name) => !again.has(name)),
    inTurn: part((name) => again.has(name)),
    shared: {
      embedded: matrix(N, C),
      final: matrix(N, C),
      finalMean: vector(N),
      finalRstd: vector(N),
      logits: matrix(chunk, V),
      dlogits: onlyIf(storageOf(chunk, V).kind === "texture", chunk, V),
      losses: vector(N),
      dfinal: tableIsSplit && storageOf(N, C).kind === "texture"
        ? { kind: "matrix", rows: N, columns: C, storage: { ...storageOf(N, C), kind: "vectors" } }
        : matrix(1, 1),
      dresidual0: matrix(N, C),
      dresidual1: matrix(N, C),
      dbranch: onlyIf(dropout > 0, N, C),
      dnormed: matrix(N, C),
      dwide: matrix(N, 4 * C),
      delta: vector(batchSize, H, T),
      selected: matrix(1, C),
      unused: vector(C),
    },
  };
}

export function specsOf(specs: Partial<BlockSpecs> | SharedSpecs): ActivationSpec[] {
  return Object.values(specs) as ActivationSpec[];
}

/** Bytes, with what a buffer's alignment adds. */
export function activationBytes(spec: ActivationSpec): number {
  if (spec.kind === "vector") return align(4 * elements(spec.shape));
  const bytes = matrixBytes(spec.rows, spec.columns, spec.storage);
  return spec.storage.kind === "texture" ? bytes : align(bytes);
}
