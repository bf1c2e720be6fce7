import { checksum, checksumBlocks } from "#kernels/checksum.ts";
import { copyMatrix } from "#kernels/elementwise.ts";
import { Random } from "../data/random.ts";
import { type Gpu, GpuError } from "../gpu/device.ts";
import type { Variant } from "../gpu/kernel.ts";
import { type Matrix, matrixIn } from "../gpu/matrix.ts";
import { type BufferRange, Memory } from "../gpu/memory.ts";
import { type Dispatch, Plan } from "../gpu/plan.ts";
import { Readback } from "../gpu/readback.ts";
import { align } from "../gpu/sizes.ts";
import { timeDispatches, timeRepeated } from "../gpu/timing.ts";

/** Rows of the noise begin this many elements after each other: no two are alike, and all take little memory. */
const NOISE_STRIDE = 12;
/** Matrices begin this many elements after each other. */
const NOISE_SHIFT = 388;
/** Rounds of timing after the first: as many as take about so long. */
const ROUNDS = { most: 8, ms: 300 };
/** This much slower than the fastest, a variant is not timed again. */
const HOPELESS = 1.2;
/** Without timestamps a variant is repeated for about this long, so that a readback's ~11 ms matter little. */
const ENOUGH_MS = 40;

const F32_EPSILON = 2 ** -24;
const F16_EPSILON = 2 ** -11;

export type Program = Pick<Dispatch, "kernel" | "bindings" | "dims" | "cost">;

/** A matrix that a program writes, and where its checksums go. */
interface Output {
  matrix: Matrix;
  sums: BufferRange;
}

/** Runs variants of a program on noise, over the very matrices that it is bound to. */
export class Trial {
  readonly #memory: Memory;
  readonly #readback: Readback;
  readonly #noise: BufferRange;
  readonly #matrices: Matrix[];
  readonly #outputs: Output[] = [];
  readonly #sums: BufferRange;

  /** @throws GpuError out of memory */
  static of(gpu: Gpu, program: Program): Promise<Trial> {
    return gpu.guard("tuning", () => new Trial(gpu, program));
  }

  private constructor(readonly gpu: Gpu, readonly program: Program) {
    this.#memory = new Memory(gpu);
    this.#readback = new Readback(gpu);
    const inputs = this.#bound("matrix");
    const outputs = this.#bound("matrix_write", "matrix_add", "read_write");
    const sizes = outputs.map((matrix) => 8 * checksumBlocks(matrix));
    const size = sizes.reduce((sum, bytes) => sum + align(bytes), 0);
    this.#sums = { buffer: this.#memory.buffer("activations", "checksums", size), offset: 0, size };
    let offset = 0;
    for (const [i, matrix] of outputs.entries()) {
      this.#outputs.push({ matrix, sums: { ...this.#sums, offset, size: sizes[i] } });
      offset += align(sizes[i]);
    }
    this.#matrices = [...inputs, ...outputs];
    const length = Math.max(...this.#matrices.map((m, i) => m.rows * NOISE_STRIDE + m.columns + i * NOISE_SHIFT));
    this.#noise = this.#memory.tensor("activations", "noise", [length]);
    const random = new Random(0, 0);
    const noise = Float32Array.from({ length }, () => random.nextUint32() / 2 ** 32 - 0.5);
    gpu.device.queue.writeBuffer(this.#noise.buffer, 0, noise);
  }

  /** Checksums of what a variant makes of the noise. @throws GpuError where the device refuses it */
  async run(variant: Variant<string>): Promise<Float32Array> {
    const { kernel, bindings, dims } = this.program;
    const plan = new Plan(this.gpu, "trial");
    try {
      await this.gpu.guard(variant.name, () => {
        // What it writes too: of what was there before, nothing may pass for its own.
        for (const [i, matrix] of this.#matrices.entries()) this.#fill(plan, matrix, i * NOISE_SHIFT);
        plan.record(kernel, bindings, dims, variant);
        for (const { matrix, sums } of this.#outputs) {
          plan.record(checksum, { x: matrix, sums }, { rows: matrix.rows, columns: matrix.columns });
        }
      });
      plan.submit();
      return await this.#readback.readF32(this.#sums); // sync point
    } finally {
      plan.free();
    }
  }

  /** Whether it makes what was `expected` of the noise. False, too, where the device refuses it. @throws GpuError: lost */
  async isRight(variant: Variant<string>, expected: Float32Array): Promise<boolean> {
    try {
      return this.#agree(expected, await this.run(variant));
    } catch (error) {
      if (!(error instanceof GpuError) || await this.gpu.isLost(100)) throw error;
      return false;
    }
  }

  /** Whether checksums differ by no more than rounding may explain. */
  #agree(expected: Float32Array, actual: Float32Array): boolean {
    const elements = this.#outputs.reduce((sum, { matrix: { rows, columns } }) => sum + rows * columns, 0);
    const terms = this.program.cost.flops / elements;
    return this.#outputs.every(({ matrix: { storage }, sums: { offset, size } }) => {
      const [first, end] = [offset / 4, (offset + size) / 4];
      let magnitude = 0;
      for (let i = first; i < end; i += 2) magnitude += expected[i + 1] / ((end - first) / 2);
      const tolerance = F32_EPSILON * (16 + 4 * Math.sqrt(terms)) + (storage.element === "f16" ? 2 * F16_EPSILON : 0);
      for (let i = first; i < end; i += 2) {
        const allowed = tolerance * (expected[i + 1] + magnitude);
        if (!(Math.abs(actual[i] - expected[i]) <= allowed)) return false; // not `>`: NaN must fail
      }
      return true;
    });
  }

  /**
   * How many times as fast as `standard` each of the variants is; all take turns. What else the machine does only ever
   * lengthens a time, so that the shortest count; but a variant must also have been the faster in most of the rounds.
   */
  async speedups(standard: Variant<string>, variants: readonly Variant<string>[]): Promise<number[]> {
    const start = performance.now();
    const [first] = await this.#timeRounds([standard, ...variants], 1);
    const fastest = Math.min(...first);
    const turns = [...first.keys()].filter((i) => i === 0 || first[i] < HOPELESS * fastest);
    const count = Math.floor(ROUNDS.ms / (performance.now() - start));
    const more = await this.#timeRounds(
      turns.map((i) => i === 0 ? standard : variants[i - 1]),
      Math.min(ROUNDS.most, Math.max(1, count)),
    );
    return variants.map((_, i) => {
      const turn = turns.indexOf(i + 1);
      const rounds = turn < 0 ? [[first[0], first[i + 1]]] : more.map((times) => [times[0], times[turn]]);
      const ratios = rounds.map(([standardMs, ms]) => standardMs / ms).sort((a, b) => a - b);
      const shortest = rounds.reduce((a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1])]);
      const speedup = Math.min(shortest[0] / shortest[1], ratios[ratios.length >> 1]);
      return Number.isFinite(speedup) ? Math.round(1000 * speedup) / 1000 : 1; // too short for the adapter's clock
    });
  }

  free(): void {
    this.#readback.free();
    this.#memory.free();
  }

  /** What is bound with these accesses; a buffer is a matrix of one row. */
  #bound(...accesses: string[]): Matrix[] {
    const { kernel, bindings } = this.program;
    return Object.entries(kernel.bindings).filter(([, access]) => accesses.includes(access)).map(([name]) => {
      const bound = bindings[name];
      return "storage" in bound ? bound : matrixIn(name, bound, 1, bound.size / 4);
    });
  }

  #fill(plan: Plan, y: Matrix, shift: number): void {
    const { rows, columns } = y;
    const origin = { row: 0, column: shift };
    const x = { ...matrixIn("noise", this.#noise, rows, columns), stride: NOISE_STRIDE, origin };
    plan.record(copyMatrix, { x, y }, { rows, columns });
  }

  /** Milliseconds: a list for each round, in the order of the variants. */
  async #timeRounds(variants: readonly Variant<string>[], rounds: number): Promise<number[][]> {
    const turns = Array.from({ length: rounds }, () => variants).flat();
    const times: number[] = [];
    if (this.gpu.device.features.has("timestamp-query")) {
      const measured = await this.#using(turns, (plan) => timeDispatches(this.gpu, [plan])); // sync point
      times.push(...measured.map(({ elapsedMs }) => elapsedMs));
    } else {
      for (const turn of turns) times.push(await this.#using([turn], this.#wallTime));
    }
    return Array.from({ length: rounds }, (_, i) => times.slice(i * variants.length, (i + 1) * variants.length));
  }

  /** A plan of these variants, one after the other. */
  async #using<T>(variants: readonly Variant<string>[], work: (plan: Plan) => Promise<T>): Promise<T> {
    const { kernel, bindings, dims } = this.program;
    const plan = new Plan(this.gpu, "trial");
    try {
      for (const variant of variants) plan.record(kernel, bindings, dims, variant);
      return await work(plan);
    } finally {
      plan.free();
    }
  }

  readonly #wallTime = (plan: Plan): Promise<number> =>
    timeRepeated(async (times) => {
      const start = performance.now();
      plan.submit(times);
      await this.#readback.read({ ...this.#sums, size: 4 }); // sync point
      return performance.now() - start;
    }, ENOUGH_MS);
}
