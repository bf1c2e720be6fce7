/** Rows sorted by their token, ties in order, and where each token's run starts; N past the last. */
export function sortByToken(tokens: Uint32Array): { order: Uint32Array; segments: Uint32Array } {
  const N = tokens.length;
  const order = Array.from(tokens.keys()).sort((a, b) => tokens[a] - tokens[b] || a - b);
  const segments = new Uint32Array(N + 1).fill(N);
  segments.set(order.flatMap((row, i) => (i === 0 || tokens[row] !== tokens[order[i - 1]] ? [i] : [])));
  return { order: Uint32Array.from(order), segments };
}
