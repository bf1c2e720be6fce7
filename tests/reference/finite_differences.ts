/**
 * The gradient of `f` at `x` by central differences, one coordinate at a time: error O(h²) from the method and
 * O(2⁻⁵² / h) from rounding, about 1e-9 of f's own size at the default h.
 */
export function finiteDifferences(f: (x: Float64Array) => number, x: Float64Array, h = 1e-5): Float64Array {
  const gradient = new Float64Array(x.length);
  const probe = x.slice();
  for (let i = 0; i < x.length; i++) {
    probe[i] = x[i] + h;
    const above = f(probe);
    probe[i] = x[i] - h;
    const below = f(probe);
    probe[i] = x[i];
    gradient[i] = (above - below) / (2 * h);
  }
  return gradient;
}

/** Σ a·b: with random `b` it makes a scalar of an op's output, whose upstream gradient is then `b`. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The largest |actual − expected|, as a share of the largest |expected| (or of 1, where all expected are 0). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} values where ${expected.length} are expected`);
  }
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (!(error <= worst)) worst = error; // a NaN wins and stays
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return largest > 0 ? worst / largest : worst;
}
