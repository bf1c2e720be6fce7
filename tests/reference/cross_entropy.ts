/** A target that takes no part in the loss. */
export const IGNORED = 0xffff_ffff;

export interface CrossEntropyDims {
  N: number;
  V: number;
}

/**
 * Mean over the targets that are not `IGNORED` of −log softmax(logits)[target], in nats; 0 where all are ignored.
 * logits (N, V), targets (N). `losses` (N) are the rows' own, 0 where ignored.
 */
export function crossEntropy(
  logits: Float64Array,
  targets: Uint32Array,
  { N, V }: CrossEntropyDims,
): { loss: number; losses: Float64Array; counted: number } {
  const losses = new Float64Array(N);
  let counted = 0;
  for (let n = 0; n < N; n++) {
    if (targets[n] === IGNORED) continue;
    counted++;
    losses[n] = logSumExp(logits.subarray(n * V, (n + 1) * V)) - logits[n * V + targets[n]];
  }
  return { loss: losses.reduce((sum, loss) => sum + loss, 0) / Math.max(counted, 1), losses, counted };
}

/** dLogits (N, V) of the mean loss: (softmax − one-hot) / counted, zero in ignored rows. */
export function crossEntropyBackward(
  logits: Float64Array,
  targets: Uint32Array,
  { N, V }: CrossEntropyDims,
): Float64Array {
  const { counted } = crossEntropy(logits, targets, { N, V });
  const dLogits = new Float64Array(N * V);
  for (let n = 0; n < N; n++) {
    if (targets[n] === IGNORED) continue;
    const row = logits.subarray(n * V, (n + 1) * V);
    const total = logSumExp(row);
    for (let v = 0; v < V; v++) {
      dLogits[n * V + v] = (Math.exp(row[v] - total) - (v === targets[n] ? 1 : 0)) / counted;
    }
  }
  return dLogits;
}

function logSumExp(row: Float64Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  return largest + Math.log(row.reduce((sum, v) => sum + Math.exp(v - largest), 0));
}
