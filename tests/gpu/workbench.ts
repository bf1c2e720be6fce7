import assert from "node:assert/strict";
import { packStep, type StepValues } from "#kernels/shared/step.ts";
import type { Gpu } from "#src/gpu/device.ts";
import { elementBytes, type ElementType, type Matrix, type MatrixStorage, matrixStride } from "#src/gpu/matrix.ts";
import { type BufferRange, Memory, type Tensor, type TextureOperand } from "#src/gpu/memory.ts";
import { align, elements, wholeWords } from "#src/gpu/sizes.ts";
import { Plan } from "#src/gpu/plan.ts";
import { Readback } from "#src/gpu/readback.ts";

/** The words of the step uniform. */
export function stepWords(values: Partial<StepValues>): Uint32Array {
  const defaults = { seed: 0, inverseTargets: 1, learningRate: 0, correction1: 1, correction2: 1 };
  return new Uint32Array(packStep({ ...defaults, ...values }).buffer);
}

/** Unit round-off of f32: the relative error of one rounding. */
export const F32_EPSILON = 2 ** -24;
/** As much of f16, and half of its smallest step. */
const F16_EPSILON = 2 ** -11;
const F16_SMALLEST = 2 ** -25;

const STORAGES: readonly MatrixStorage[] = [
  { kind: "texture", element: "f32" },
  { kind: "vectors", element: "f32" },
  { kind: "scalars", element: "f32" },
  { kind: "texture", element: "f16" },
  { kind: "vectors", element: "f16" },
  { kind: "scalars", element: "f16" },
];

/** Every way that `gpu` can keep a matrix with rows of `columns`: whole vec4s in any, others in scalars. */
export function storagesFor({ device, limits }: Gpu, columns: number): readonly MatrixStorage[] {
  const half = device.features.has("shader-f16");
  return STORAGES.filter(({ kind, element }) =>
    kind === "texture"
      ? columns % 4 === 0 && columns / 4 <= limits.maxTextureDimension2D
      : (kind === "scalars" || columns % 4 === 0) && (element === "f32" || half)
  );
}

/** How `matrixIn` takes a tensor of an arena: gradients and parameters. */
export function arenaStorage(columns: number): MatrixStorage {
  return { kind: columns % 4 === 0 ? "vectors" : "scalars", element: "f32" };
}

export function storageName({ kind, element }: MatrixStorage): string {
  return `${kind} of ${element}`;
}

/** The values that a matrix of these elements holds. */
export function asStored(values: Float64Array, { element }: { element: ElementType }): Float64Array {
  return Float64Array.from(element === "f16" ? Float16Array.from(values) : Float32Array.from(values));
}

/** What storing may add to a value's error. */
function storageError(held: BufferRange | Matrix, value: number): number {
  const half = "storage" in held && held.storage.element === "f16";
  return half ? F16_EPSILON * Math.abs(value) + F16_SMALLEST : 0;
}

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

  /** A matrix with these values, rounded to what its storage holds; zeros behind rows that are no whole vec4s. */
  matrix(name: string, rows: number, columns: number, values: Float64Array, storage: MatrixStorage): Matrix {
    assert.equal(values.length, rows * columns, `values of ${name}`);
    const matrix = this.memory.matrix("activations", name, [rows, columns], storage);
    const { resource, stride } = matrix;
    const laid = new (storage.element === "f16" ? Float16Array : Float32Array)(rows * stride);
    for (let row = 0; row < rows; row++) laid.set(values.subarray(row * columns, (row + 1) * columns), row * stride);
    const bytes = new Uint8Array(wholeWords(laid.byteLength));
    bytes.set(new Uint8Array(laid.buffer));
    const { queue } = this.gpu.device;
    if ("view" in resource) {
      const bytesPerRow = stride * elementBytes(storage);
      queue.writeTexture({ texture: resource.texture }, bytes, { bytesPerRow }, [stride / 4, rows]);
    } else queue.writeBuffer(resource.buffer, resource.offset, bytes);
    return matrix;
  }

  /** A matrix of NaN. */
  outputMatrix(name: string, rows: number, columns: number, storage: MatrixStorage): Matrix {
    // What pads rows to whole vec4s too: it must be written.
    const stride = matrixStride(columns, storage);
    return { ...this.matrix(name, rows, stride, new Float64Array(rows * stride).fill(NaN), storage), columns };
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
    this.plan.submit(times);
  }

  read(held: BufferRange | Matrix): Promise<Float32Array<ArrayBuffer>> {
    return "storage" in held ? this.#readMatrix(held) : this.#readback.readF32(held);
  }

  /** Its own rows and columns of what holds it. Throws where what pads a row of its own is not 0. */
  async #readMatrix(matrix: Matrix): Promise<Float32Array<ArrayBuffer>> {
    const { name, rows, columns, storage, stride, origin, resource } = matrix;
    const { bytes, rowElements } = "view" in resource
      ? await this.#readTexture(resource, storage)
      : { bytes: await this.#readback.read(resource), rowElements: stride };
    const held = new (storage.element === "f16" ? Float16Array : Float32Array)(bytes);
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const start = (origin.row + row) * rowElements + origin.column;
      values.set(held.subarray(start, start + columns), row * columns);
      if (storage.kind === "scalars" || origin.column + columns < stride - 3) continue;
      const padding = [...held.subarray(start + columns, start + Math.ceil(columns / 4) * 4)];
      assert.ok(padding.every((value) => value === 0), `${name} has ${padding} after row ${row}`);
    }
    return values;
  }

  /** Copies to buffers have rows of whole 256 bytes. */
  async #readTexture({ texture }: TextureOperand, storage: MatrixStorage) {
    const { width, height } = texture;
    const bytesPerRow = align(width * 4 * elementBytes(storage));
    const size = bytesPerRow * height;
    const buffer = this.gpu.device.createBuffer({ size, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    try {
      const encoder = this.gpu.device.createCommandEncoder();
      encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow }, [width, height]);
      this.gpu.device.queue.submit([encoder.finish()]);
      const bytes = await this.#readback.read({ buffer, offset: 0, size }); // sync point
      return { bytes, rowElements: bytesPerRow / elementBytes(storage) };
    } finally {
      buffer.destroy();
    }
  }

  readU32(range: BufferRange): Promise<Uint32Array<ArrayBuffer>> {
    return this.#readback.readU32(range);
  }

  /** Holds values against the twin's, see `assertClose`; what f16 rounds in storing is allowed on top. */
  expect(held: Tensor | Matrix, expected: Float64Array, tolerance: number): Promise<void> {
    return this.expectWithin(held, expected, closeTo(expected, tolerance));
  }

  /** As `expect`, with an absolute tolerance for each element. */
  async expectWithin(held: Tensor | Matrix, expected: Float64Array, allowed: (i: number) => number): Promise<void> {
    const name = "storage" in held ? `${held.name} (${storageName(held.storage)})` : held.name;
    assertWithin(name, await this.read(held), expected, (i) => allowed(i) + storageError(held, expected[i]));
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
  assertWithin(name, actual, expected, closeTo(expected, tolerance));
}

function closeTo(expected: ArrayLike<number>, tolerance: number): (i: number) => number {
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += expected[i] ** 2;
  const rms = Math.sqrt(squares / expected.length);
  return (i) => tolerance * (Math.abs(expected[i]) + rms);
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
