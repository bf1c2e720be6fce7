import { describe, expect, test } from "bun:test";
import { Random } from "../../src/data/random.ts";

const draw = (seed: number, stream: number, count = 1000) => {
  const random = new Random(seed, stream);
  return Array.from({ length: count }, () => random.nextUint32());
};

describe("Random", () => {
  test("is pinned: changing it would change every run", () => {
    expect(draw(1337, 0, 4)).toEqual([415072096, 3601442031, 3377763354, 1700317381]);
  });

  test("is xoshiro128**, by its authors' formula in 64-bit integers", () => {
    const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & 0xffffffffn;
    const words = (hash: bigint) => {
      hash ^= hash >> 16n;
      hash = hash * 0x85ebca6bn & 0xffffffffn;
      hash ^= hash >> 13n;
      hash = hash * 0xc2b2ae35n & 0xffffffffn;
      return hash ^ (hash >> 16n);
    };
    for (const [seed, stream] of [[0, 0], [1337, 7], [0xffffffff, 0xffffffff]]) {
      const s = [1n, 2n, 3n, 4n].map((i) =>
        words(words(BigInt(seed) + i * 0x9e3779b9n & 0xffffffffn) + BigInt(stream) & 0xffffffffn)
      );
      const expected = Array.from({ length: 200 }, () => {
        const result = rotl(s[1] * 5n & 0xffffffffn, 7n) * 9n & 0xffffffffn;
        const t = s[1] << 9n & 0xffffffffn;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotl(s[3], 11n);
        return Number(result);
      });
      expect(draw(seed, stream, 200)).toEqual(expected);
    }
  });

  test("seeds and streams differ from the first number on", () => {
    const firsts = new Set<number>();
    for (let i = 0; i < 100; i++) for (let j = 0; j < 100; j++) firsts.add(draw(i, j, 1)[0]);
    expect(firsts.size).toBeGreaterThan(9_990); // chance: 10,000 draws of 2^32 collide 0.01 times
  });

  test("neighbouring streams are uncorrelated", () => {
    const n = 20_000;
    for (const [a, b] of [[new Random(1, 0), new Random(1, 1)], [new Random(1, 0), new Random(2, 0)]]) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12;
      expect(Math.abs(sum / Math.sqrt(n))).toBeLessThan(4);
    }
  });

  test("uniform is uniform in [0, 1)", () => {
    const random = new Random(3, 3);
    const bins = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i++) bins[Math.floor(random.uniform() * 64)]++;
    const chiSquared = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeLessThan(110); // 63 degrees of freedom: one seed in 5000 would be above
  });

  test("below stays below, and reaches every value", () => {
    const random = new Random(4, 4);
    const seen = new Set(Array.from({ length: 1000 }, () => random.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(random.below(1)).toBe(0);
  });

  test("normal has the normal distribution's moments and tails", () => {
    const random = new Random(5, 5);
    const n = 200_000;
    const values = Float64Array.from({ length: n }, () => random.normal());
    const moment = (k: number) => values.reduce((sum, x) => sum + x ** k, 0) / n;
    const within = (limit: number) => values.reduce((count, x) => count + (Math.abs(x) < limit ? 1 : 0), 0) / n;
    expect(moment(1)).toBeCloseTo(0, 2);
    expect(moment(2)).toBeCloseTo(1, 1);
    expect(moment(3)).toBeCloseTo(0, 1);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1);
    expect(within(1)).toBeCloseTo(0.6827, 2);
    expect(within(2)).toBeCloseTo(0.9545, 2);
    expect(within(3)).toBeCloseTo(0.9973, 2);
    expect(values.every(Number.isFinite)).toBe(true);
  });
});
