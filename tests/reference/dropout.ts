/** x times its dropout factors: 0 where an element is dropped, 1 / (1 − rate) where it is kept. No mask: x itself. */
export function dropout(x: Float64Array, mask?: Float64Array): Float64Array {
  return mask ? x.map((v, i) => v * mask[i]) : x.slice();
}

/** The same factors on the way back. */
export function dropoutBackward(dOut: Float64Array, mask?: Float64Array): Float64Array {
  return dropout(dOut, mask);
}
