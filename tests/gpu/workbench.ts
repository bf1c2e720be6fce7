import assert from "node:assert/strict";
import { packStep, type StepValues } from "#kernels/shared/step.ts";
import type { Gpu } from "#src/gpu/device.ts";
import { type BufferRange, Memory, type Tensor } from "#src/gpu/memory.ts";
import { elements } from "#src/gpu/sizes.ts";
import { Plan } from "#src/gpu/plan.ts";
import { Readback } from "#src/gpu/readback.ts";

/** The words of the step uniform. */
export function stepWords(values: Partial<StepValues>): Uint32Array {
  const defaults = { seed: 0, inverseTargets: 1, learningRate: 0, correction1: 1, correction2: 1 };
  return new Uint32Array(packStep({ ...defaults, ...values }).buffer);
}

/** Unit round-off of f32: the relative error of one rounding. */
export const F32_EPSILON = 2 ** -24;

/** What a GPU case works with: tensors that are filled, one plan, and values that come back. */
export class Workbench {
  readonly memory: Memory;
  readonly plan: Plan;
  readonly #readback: Readback;

  private constructor(readonly gpu: Gpu) {
    this.memory = new Memory(gpu);
    this.plan = new Plan(gpu, "test");
    this.#readback = new Readback(gpu);
  }

  /** Gives `work` a bench and clears it away afterwards. */
  static async use<T>(gpu: Gpu, work: (bench: Workbench) => Promise<T> | T): Promise<T> {
    const bench = new Workbench(gpu);
    try {
      return await work(bench);
    } finally {
      bench.plan.free();
      bench.#readback.free();
      bench.memory.free();
    }
  }

  /** A tensor with these values: f32, or u32 from a Uint32Array. */
  tensor(name: string, shape: readonly number[], values: Float64Array | Uint32Array): Tensor {
    assert.equal(values.length, elements(shape), `values of ${name}`);
    const tensor = this.memory.tensor("activations", name, shape);
    this.write(tensor, values);
    return tensor;
  }

  /** A tensor of NaN: what a kernel leaves unwritten, or adds to instead of overwriting, shows. */
  output(name: string, shape: readonly number[]): Tensor {
    return this.tensor(name, shape, new Float64Array(elements(shape)).fill(NaN));
  }

  /** The uniform that a trainer rewrites each step. */
  step(values: Partial<StepValues>): Tensor {
    const words = stepWords(values);
    return this.tensor("step", [words.length], words);
  }

  write(range: BufferRange, values: Float64Array | Uint32Array): void {
    const data = values instanceof Uint32Array ? new Uint32Array(values) : Float32Array.from(values);
    this.gpu.device.queue.writeBuffer(range.buffer, range.offset, data);
  }

  /** Submits the plan `times` times over. */
  run(times = 1): void {
    const encoder = this.gpu.device.createCommandEncoder();
    for (let i = 0; i < times; i++) this.plan.encode(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  read(range: BufferRange): Promise<Float32Array<ArrayBuffer>> {
    return this.#readback.readF32(range);
  }

  readU32(range: BufferRange): Promise<Uint32Array<ArrayBuffer>> {
    return this.#readback.readU32(range);
  }

  /** Holds a tensor's values against the twin's: see `assertClose`. */
  async expect(tensor: Tensor, expected: Float64Array, tolerance: number): Promise<void> {
    assertClose(tensor.name, await this.read(tensor), expected, tolerance);
  }

  /** As `expect`, with an absolute tolerance for each element. */
  async expectWithin(tensor: Tensor, expected: Float64Array, allowed: (i: number) => number): Promise<void> {
    assertWithin(tensor.name, await this.read(tensor), expected, allowed);
  }
}

/**
 * Throws where |actual − expected| is above tolerance · (|expected| + RMS of all expected). The second term is for sums
 * that nearly cancel: their rounding error has the size of their terms.
 */
export function assertClose(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += expected[i] ** 2;
  const rms = Math.sqrt(squares / expected.length);
  assertWithin(name, actual, expected, (i) => tolerance * (Math.abs(expected[i]) + rms));
}

/** Throws where |actual − expected| is above what is allowed there, and says where it is worst. */
export function assertWithin(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  allowed: (i: number) => number,
): void {
  assert.equal(actual.length, expected.length, `length of ${name}`);
  let wrong = 0;
  let worst = -1;
  let worstExcess = -1;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (error <= allowed(i)) continue; // not `error > allowed`: NaN must fail
    wrong++;
    const excess = Number.isNaN(error) ? Infinity : error / allowed(i);
    if (excess > worstExcess) [worst, worstExcess] = [i, excess];
  }
  if (wrong === 0) return;
  assert.fail(
    `${name}: ${wrong} of ${expected.length} values are off; worst at ${worst}: ${actual[worst]}, ` +
      `expected ${expected[worst]} within ${allowed(worst).toPrecision(3)}`,
  );
}

/** Throws unless both hold the same bits. */
export function assertSameBits(name: string, a: Float32Array<ArrayBuffer>, b: Float32Array<ArrayBuffer>): void {
  const bits = (values: Float32Array<ArrayBuffer>) => new Uint32Array(values.buffer, values.byteOffset, values.length);
  const [left, right] = [bits(a), bits(b)];
  assert.equal(left.length, right.length, `length of ${name}`);
  const different = left.findIndex((word, i) => word !== right[i]);
  if (different >= 0) assert.fail(`${name} differs at ${different}: ${a[different]} and ${b[different]}`);
}
