/**
 * Seeded random numbers: xoshiro128** of Blackman and Vigna (https://prng.di.unimi.it/xoshiro128starstar.c, period
 * 2^128 − 1). `(seed, stream)` picks the sequence: streams of one seed are independent of each other, so every use
 * (a tensor's initial values, an epoch's shuffle) takes a stream of its own. Both are u32.
 */
export class Random {
  readonly #state = new Uint32Array(4);
  /** Box–Muller makes two normal numbers at a time. */
  #spare: number | null = null;

  constructor(seed: number, stream: number) {
    // Word i is a hash of word i of the seed's SplitMix sequence plus the stream. The four words of the sequence differ
    // and the hash is a bijection with 0 → 0, so the state is never all zeros, the one that xoshiro cannot leave.
    for (let i = 0; i < 4; i++) this.#state[i] = mix(mix(seed + Math.imul(i + 1, 0x9e3779b9)) + stream);
  }

  /** Uniform over the 2^32 integers of a u32. */
  nextUint32(): number {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** Uniform in [0, 1), a multiple of 2^−53. Takes two integers. */
  uniform(): number {
    const high = this.nextUint32() >>> 5; // 27 bits
    const low = this.nextUint32() >>> 6; // 26 bits
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  /** A uniform integer in [0, limit), limit ≤ 2^32; the bias is below 2^−21. */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** Normal with mean 0 and variance 1, in float64 (Box and Muller, 1958). */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform())); // 1 − uniform is in (0, 1]
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** MurmurHash3's 32-bit finaliser (Appleby): a bijection of u32, 0 → 0. */
function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
