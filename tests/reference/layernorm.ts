export interface LayerNormDims {
  N: number;
  C: number;
  /** Default: PyTorch's 1e-5. */
  epsilon?: number;
}

/** Normalises each row of x (N, C) to mean 0 and variance 1, then scales by `weight` (C) and shifts by `bias` (C). */
export function layernorm(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array | null,
  dims: LayerNormDims,
): { out: Float64Array; mean: Float64Array; inverseDeviation: Float64Array } {
  const { N, C, epsilon = 1e-5 } = dims;
  const out = new Float64Array(N * C);
  const mean = new Float64Array(N);
  const inverseDeviation = new Float64Array(N);
  for (let n = 0; n < N; n++) {
    const row = x.subarray(n * C, (n + 1) * C);
    mean[n] = row.reduce((sum, v) => sum + v, 0) / C;
    const variance = row.reduce((sum, v) => sum + (v - mean[n]) ** 2, 0) / C;
    inverseDeviation[n] = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < C; c++) {
      out[n * C + c] = (row[c] - mean[n]) * inverseDeviation[n] * weight[c] + (bias?.[c] ?? 0);
    }
  }
  return { out, mean, inverseDeviation };
}

/** From dOut (N, C). */
export function layernormBackward(
  dOut: Float64Array,
  x: Float64Array,
  weight: Float64Array,
  dims: LayerNormDims,
): { dX: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const { N, C } = dims;
  const { mean, inverseDeviation } = layernorm(x, weight, null, dims);
  const dX = new Float64Array(N * C);
  const dWeight = new Float64Array(C);
  const dBias = new Float64Array(C);
  for (let n = 0; n < N; n++) {
    const normalised = (c: number) => (x[n * C + c] - mean[n]) * inverseDeviation[n];
    let meanGradient = 0; // of dOut·weight over the row
    let meanProjection = 0; // of dOut·weight·normalised over the row
    for (let c = 0; c < C; c++) {
      const gradient = dOut[n * C + c] * weight[c];
      meanGradient += gradient / C;
      meanProjection += gradient * normalised(c) / C;
      dWeight[c] += dOut[n * C + c] * normalised(c);
      dBias[c] += dOut[n * C + c];
    }
    for (let c = 0; c < C; c++) {
      const gradient = dOut[n * C + c] * weight[c];
      dX[n * C + c] = (gradient - meanGradient - normalised(c) * meanProjection) * inverseDeviation[n];
    }
  }
  return { dX, dWeight, dBias };
}
