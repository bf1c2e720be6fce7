import { matmul } from "./matmul.ts";

export interface LinearDims {
  N: number;
  inputs: number;
  outputs: number;
}

/** x (N, inputs) · weight (inputs, outputs) + bias (outputs): Hugging Face's Conv1D, which GPT-2 uses throughout. */
export function linear(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array | null,
  { N, inputs, outputs }: LinearDims,
): Float64Array {
  const out = matmul("nn", x, weight, { M: N, N: outputs, K: inputs });
  if (bias) { for (let i = 0; i < out.length; i++) out[i] += bias[i % outputs]; }
  return out;
}

/** From dOut (N, outputs). */
export function linearBackward(
  dOut: Float64Array,
  x: Float64Array,
  weight: Float64Array,
  { N, inputs, outputs }: LinearDims,
): { dX: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const dX = matmul("nt", dOut, weight, { M: N, N: inputs, K: outputs });
  const dWeight = matmul("tn", x, dOut, { M: inputs, N: outputs, K: N });
  const dBias = new Float64Array(outputs);
  for (let i = 0; i < dOut.length; i++) dBias[i % outputs] += dOut[i];
  return { dX, dWeight, dBias };
}
