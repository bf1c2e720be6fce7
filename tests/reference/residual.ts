/** a + b. */
export function residual(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, i) => v + b[i]);
}

/** A sum hands its gradient to both terms unchanged. */
export function residualBackward(dOut: Float64Array): { dA: Float64Array; dB: Float64Array } {
  return { dA: dOut.slice(), dB: dOut.slice() };
}
