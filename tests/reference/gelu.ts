/** GELU in its tanh form (`gelu_new`): ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
export function gelu(x: Float64Array): Float64Array {
  return x.map((v) => 0.5 * v * (1 + Math.tanh(inner(v))));
}

export function geluBackward(dOut: Float64Array, x: Float64Array): Float64Array {
  return x.map((v, i) => {
    const tanh = Math.tanh(inner(v));
    const dInner = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * v * v);
    return dOut[i] * (0.5 * (1 + tanh) + 0.5 * v * (1 - tanh * tanh) * dInner);
  });
}

function inner(v: number): number {
  return Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3);
}
