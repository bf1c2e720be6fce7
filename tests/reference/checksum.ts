/** For each block of 64 columns of each row of x (rows, columns): the weighted sum, and the sum of its terms' magnitudes. */
export function checksum(x: Float64Array, { rows, columns }: { rows: number; columns: number }): Float64Array {
  const sums: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < columns; start += 64) {
      let [sum, magnitude] = [0, 0];
      for (let i = 0; i < Math.min(64, columns - start); i++) {
        const term = (0.5 + (i * 0.618034) % 1) * x[row * columns + start + i];
        sum += term;
        magnitude += Math.abs(term);
      }
      sums.push(sum, magnitude);
    }
  }
  return Float64Array.from(sums);
}
