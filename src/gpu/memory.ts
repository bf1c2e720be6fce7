import type { Gpu } from "./device.ts";
import { type Matrix, matrixBytes, type MatrixStorage, matrixStride, textureFormat, textureWidth } from "./matrix.ts";
import { align, BINDING_ALIGNMENT, elements, wholeWords } from "./sizes.ts";

/** A part of a buffer, as a binding wants it. Bytes. */
export interface BufferRange {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

/** A row-major array in GPU memory: f32 unless its user says u32. */
export interface Tensor extends BufferRange {
  name: string;
  /** Outermost dimension first. */
  shape: readonly number[];
}

/** A texture that holds a matrix: row r of the matrix is row r of texels, four elements each. */
export interface TextureOperand {
  texture: GPUTexture;
  view: GPUTextureView;
}

/** What memory is for; `describe` predicts the bytes of each. */
export type MemoryRole = "parameters" | "gradients" | "optimizer" | "activations";

/** Allocates buffers and textures, counts their bytes by role, and frees them together. */
export class Memory {
  readonly bytes: Record<MemoryRole, number> = { parameters: 0, gradients: 0, optimizer: 0, activations: 0 };
  readonly #allocated: (GPUBuffer | GPUTexture)[] = [];

  constructor(readonly gpu: Gpu) {}

  /** A zeroed buffer of `bytes`, rounded up to the binding alignment. */
  buffer(role: MemoryRole, name: string, bytes: number): GPUBuffer {
    const size = align(Math.max(bytes, 4));
    const buffer = this.gpu.device.createBuffer({
      label: name,
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#allocated.push(buffer);
    this.bytes[role] += size;
    return buffer;
  }

  /** A tensor of 4-byte elements in a buffer of its own. */
  tensor(role: MemoryRole, name: string, shape: readonly number[]): Tensor {
    const size = elements(shape) * 4;
    return { name, shape, buffer: this.buffer(role, name, size), offset: 0, size };
  }

  /** A matrix with memory of its own; zeroed. */
  matrix(role: MemoryRole, name: string, [rows, columns]: readonly [number, number], storage: MatrixStorage): Matrix {
    const bytes = matrixBytes(rows, columns, storage);
    const stride = matrixStride(columns, storage);
    const resource = storage.kind === "texture"
      ? this.#texture(role, name, [textureWidth(rows, columns, storage), rows], storage, bytes)
      : { buffer: this.buffer(role, name, bytes), offset: 0, size: Math.max(wholeWords(bytes), 4) };
    return { name, rows, columns, storage, stride, origin: { row: 0, column: 0 }, resource };
  }

  #texture(
    role: MemoryRole,
    name: string,
    size: [width: number, height: number],
    { element }: MatrixStorage,
    bytes: number,
  ): TextureOperand {
    const texture = this.gpu.device.createTexture({
      label: name,
      size,
      format: textureFormat(element),
      usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC,
    });
    this.#allocated.push(texture);
    this.bytes[role] += bytes;
    return { texture, view: texture.createView() };
  }

  /** `destroy()` frees at once; waiting for the garbage collector let memory grow. */
  free(): void {
    for (const each of this.#allocated.splice(0)) each.destroy();
    this.bytes.parameters =
      this.bytes.gradients =
      this.bytes.optimizer =
      this.bytes.activations =
        0;
  }
}

/** Rows `[start, start + count)` of a tensor; `start · row bytes` must be a multiple of the binding alignment. */
export function rows(tensor: Tensor, start: number, count: number): Tensor {
  const [, ...inner] = tensor.shape;
  const rowBytes = elements(inner) * 4;
  const offset = tensor.offset + start * rowBytes;
  if (offset % BINDING_ALIGNMENT !== 0) {
    throw new RangeError(
      `rows of ${tensor.name} from ${start} start at byte ${offset}, not a multiple of ${BINDING_ALIGNMENT}`,
    );
  }
  return { ...tensor, shape: [count, ...inner], offset, size: count * rowBytes };
}
