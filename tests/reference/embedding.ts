export interface EmbeddingDims {
  B: number;
  T: number;
  C: number;
}

/** tokenTable (V, C) at each token plus positionTable (≥ T, C) at each position: (B, T, C) from tokens (B, T). */
export function embedding(
  tokens: Uint32Array,
  tokenTable: Float64Array,
  positionTable: Float64Array,
  { B, T, C }: EmbeddingDims,
): Float64Array {
  const out = new Float64Array(B * T * C);
  for (let n = 0; n < B * T; n++) {
    for (let c = 0; c < C; c++) out[n * C + c] = tokenTable[tokens[n] * C + c] + positionTable[(n % T) * C + c];
  }
  return out;
}

/** From dOut (B, T, C); the tables' gradients have the lengths of the tables. */
export function embeddingBackward(
  dOut: Float64Array,
  tokens: Uint32Array,
  tableLengths: { token: number; position: number },
  { B, T, C }: EmbeddingDims,
): { dTokenTable: Float64Array; dPositionTable: Float64Array } {
  const dTokenTable = new Float64Array(tableLengths.token);
  const dPositionTable = new Float64Array(tableLengths.position);
  for (let n = 0; n < B * T; n++) {
    for (let c = 0; c < C; c++) {
      dTokenTable[tokens[n] * C + c] += dOut[n * C + c];
      dPositionTable[(n % T) * C + c] += dOut[n * C + c];
    }
  }
  return { dTokenTable, dPositionTable };
}
