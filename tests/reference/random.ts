/**
 * A seeded generator for test inputs (mulberry32), apart from the project's own so that a fault there cannot hide.
 * Every number is rounded to f32: a kernel and its float64 twin then start from the very same values.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  /** N(mean, deviation²) by Box and Muller. */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** `length` normal numbers, each an f32 value. */
  normals(length: number, deviation = 1, mean = 0): Float64Array {
    return Float64Array.from({ length }, () => Math.fround(this.normal(mean, deviation)));
  }

  /** `length` integers in [0, end). */
  integers(length: number, end: number): Uint32Array {
    return Uint32Array.from({ length }, () => Math.floor(this.uniform() * end));
  }

  /** `length` dropout factors: 0 with probability `rate`, 1 / (1 − rate) otherwise. */
  dropoutMask(length: number, rate: number): Float64Array {
    return Float64Array.from({ length }, () => (this.uniform() < rate ? 0 : 1 / (1 - rate)));
  }
}
