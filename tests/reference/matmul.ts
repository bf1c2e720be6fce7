/** `nn`: A (M, K) · B (K, N). `nt`: A (M, K) · Bᵀ, B (N, K). `tn`: Aᵀ · B, A (K, M), B (K, N). The result is (M, N). */
export type MatmulForm = "nn" | "nt" | "tn";

export interface MatmulDims {
  M: number;
  N: number;
  K: number;
}

/** The product, added to `initial` (M, N) where that is given. */
export function matmul(
  form: MatmulForm,
  a: Float64Array,
  b: Float64Array,
  { M, N, K }: MatmulDims,
  initial?: Float64Array,
): Float64Array {
  const out = new Float64Array(M * N);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let sum = 0;
      for (let k = 0; k < K; k++) {
        sum += (form === "tn" ? a[k * M + m] : a[m * K + k]) * (form === "nt" ? b[n * K + k] : b[k * N + n]);
      }
      out[m * N + n] = sum + (initial?.[m * N + n] ?? 0);
    }
  }
  return out;
}

/** Gradients of all three forms are again products: dA and dB from dOut (M, N). */
export function matmulBackward(
  form: MatmulForm,
  dOut: Float64Array,
  a: Float64Array,
  b: Float64Array,
  { M, N, K }: MatmulDims,
): { dA: Float64Array; dB: Float64Array } {
  switch (form) {
    case "nn":
      return { dA: matmul("nt", dOut, b, { M, N: K, K: N }), dB: matmul("tn", a, dOut, { M: K, N, K: M }) };
    case "nt":
      return { dA: matmul("nn", dOut, b, { M, N: K, K: N }), dB: matmul("tn", dOut, a, { M: N, N: K, K: M }) };
    case "tn":
      return { dA: matmul("nt", b, dOut, { M: K, N: M, K: N }), dB: matmul("nn", a, dOut, { M: K, N, K: M }) };
  }
}
