export interface AttentionDims {
  B: number;
  T: number;
  C: number;
  H: number;
}

export interface AttentionForward {
  /** (B, T, C), heads side by side. */
  out: Float64Array;
  /** (B, H, T, T), before dropout; zero past the diagonal. */
  probabilities: Float64Array;
  /** (B, H, T): log Σ exp of each row's scaled scores. */
  logSumExp: Float64Array;
}

/**
 * Causal multi-head self-attention over qkv (B, T, 3·C), packed as GPT-2's c_attn gives it: all of Q, all of K, all of
 * V, in each a run of D = C / H channels a head. Scores are scaled by 1/√D. `mask` (B, H, T, T) holds dropout factors.
 */
export function attention(qkv: Float64Array, dims: AttentionDims, mask?: Float64Array): AttentionForward {
  const { B, T, C, H } = dims;
  const D = C / H;
  const out = new Float64Array(B * T * C);
  const probabilities = new Float64Array(B * H * T * T);
  const logSumExp = new Float64Array(B * H * T);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const { q, k, v } = offsets(dims, b, h);
      for (let i = 0; i < T; i++) {
        const row = ((b * H + h) * T + i) * T;
        const scores = Array.from({ length: i + 1 }, (_, j) => {
          let score = 0;
          for (let d = 0; d < D; d++) score += qkv[q(i) + d] * qkv[k(j) + d];
          return score / Math.sqrt(D);
        });
        const largest = Math.max(...scores);
        const sum = scores.reduce((total, score) => total + Math.exp(score - largest), 0);
        logSumExp[(b * H + h) * T + i] = largest + Math.log(sum);
        for (let j = 0; j <= i; j++) {
          const probability = Math.exp(scores[j] - largest) / sum;
          probabilities[row + j] = probability;
          const kept = probability * (mask?.[row + j] ?? 1);
          for (let d = 0; d < D; d++) out[(b * T + i) * C + h * D + d] += kept * qkv[v(j) + d];
        }
      }
    }
  }
  return { out, probabilities, logSumExp };
}

/** dQkv (B, T, 3·C) from dOut (B, T, C). */
export function attentionBackward(
  dOut: Float64Array,
  qkv: Float64Array,
  dims: AttentionDims,
  mask?: Float64Array,
): Float64Array {
  const { B, T, C, H } = dims;
  const D = C / H;
  const { probabilities } = attention(qkv, dims, mask);
  const dQkv = new Float64Array(B * T * 3 * C);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const { q, k, v } = offsets(dims, b, h);
      for (let i = 0; i < T; i++) {
        const row = ((b * H + h) * T + i) * T;
        const dOutRow = (b * T + i) * C + h * D;
        const dProbability = new Float64Array(i + 1);
        let expected = 0; // Σ p·dp over the row, which softmax's gradient takes off every dp
        for (let j = 0; j <= i; j++) {
          const factor = mask?.[row + j] ?? 1;
          for (let d = 0; d < D; d++) {
            dProbability[j] += factor * dOut[dOutRow + d] * qkv[v(j) + d];
            dQkv[v(j) + d] += factor * probabilities[row + j] * dOut[dOutRow + d];
          }
          expected += probabilities[row + j] * dProbability[j];
        }
        for (let j = 0; j <= i; j++) {
          const dScore = probabilities[row + j] * (dProbability[j] - expected) / Math.sqrt(D);
          for (let d = 0; d < D; d++) {
            dQkv[q(i) + d] += dScore * qkv[k(j) + d];
            dQkv[k(j) + d] += dScore * qkv[q(i) + d];
          }
        }
      }
    }
  }
  return dQkv;
}

/** Where the query, key and value of a position begin in qkv, for one head of one sequence. */
function offsets({ T, C, H }: AttentionDims, b: number, h: number) {
  const at = (part: number) => (t: number) => (b * T + t) * 3 * C + part * C + h * (C / H);
  return { q: at(0), k: at(1), v: at(2) };
}
