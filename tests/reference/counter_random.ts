/**
 * The project's counter-based random numbers, written from their paper and not from the kernels: PCG's RXS-M-XS over
 * one LCG step (Jarzynski and Olano, JCGT 2020), chained over four counters; the top 24 bits make a number in [0, 1).
 */
export function counterUniform(seed: number, site: number, row: number, column: number): number {
  let hash = pcg(seed);
  for (const counter of [site, row, column]) hash = pcg((hash + counter) >>> 0);
  return (hash >>> 8) / 2 ** 24;
}

/** What dropout multiplies an element by. `rate` is compared as the f32 that a kernel is given. */
export function dropoutFactor(rate: number, seed: number, site: number, row: number, column: number): number {
  return counterUniform(seed, site, row, column) < Math.fround(rate) ? 0 : 1 / (1 - Math.fround(rate));
}

/** The factors of a (rows, columns) tensor. */
export function dropoutFactors(rate: number, seed: number, site: number, rows: number, columns: number): Float64Array {
  return Float64Array.from(
    { length: rows * columns },
    (_, i) => dropoutFactor(rate, seed, site, Math.floor(i / columns), i % columns),
  );
}

function pcg(input: number): number {
  const state = (Math.imul(input, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}
