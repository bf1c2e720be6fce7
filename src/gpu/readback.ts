import type { Gpu } from "./device.ts";
import type { BufferRange } from "./memory.ts";

/** The only file that waits for the GPU: under Deno `mapAsync` blocks its thread until the queue is idle, plus ~11 ms. */

/** Larger ranges are read in pieces, which bounds the staging memory. */
export const PIECE_BYTES = 32 * 2 ** 20;

/**
 * Under Deno the call to `read` blocks until the GPU is idle, and only then returns its promise, which takes another
 * 10 ms; elsewhere the call returns at once.
 */
export const READ_BLOCKS = "Deno" in globalThis;

export class Readback {
  #staging: GPUBuffer | null = null;

  constructor(readonly gpu: Gpu) {}

  /**
   * The bytes of `range`, once all work submitted before has run.
   * @throws GpuError for whatever that work did wrong
   */
  async read(range: BufferRange): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(range.size);
    for (let start = 0; start < range.size; start += PIECE_BYTES) {
      const size = Math.min(PIECE_BYTES, range.size - start);
      const staging = this.#stagingOf(size);
      const encoder = this.gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(range.buffer, range.offset + start, staging, 0, size);
      this.gpu.device.queue.submit([encoder.finish()]);
      try {
        await staging.mapAsync(GPUMapMode.READ, 0, size); // sync point
      } catch (error) {
        this.gpu.check(); // says what went wrong; the rejection only that something did
        throw error;
      }
      bytes.set(new Uint8Array(staging.getMappedRange(0, size)), start);
      staging.unmap();
    }
    this.gpu.check();
    return bytes.buffer;
  }

  async readF32(range: BufferRange): Promise<Float32Array<ArrayBuffer>> {
    return new Float32Array(await this.read(range));
  }

  async readU32(range: BufferRange): Promise<Uint32Array<ArrayBuffer>> {
    return new Uint32Array(await this.read(range));
  }

  free(): void {
    this.#staging?.destroy();
    this.#staging = null;
  }

  #stagingOf(size: number): GPUBuffer {
    if (!this.#staging || this.#staging.size < size) {
      this.#staging?.destroy();
      this.#staging = this.gpu.device.createBuffer({
        label: "readback",
        size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
    }
    return this.#staging;
  }
}
