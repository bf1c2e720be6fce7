import type { Gpu } from "./device.ts";

/** A driver takes a submit that runs for seconds for a hang and resets the device (2 s on Windows). */
const SUBMIT_MS = 500;

/**
 * Encodes units of work of about equal length, in portions that stay short, to be submitted together. How long a unit
 * takes is learnt from the caller's measurements; until then each is a portion of its own.
 */
export class Submits {
  #unitMs: number | null = null;
  #encoder: GPUCommandEncoder | null = null;
  #units = 0;
  readonly #portions: GPUCommandBuffer[] = [];

  constructor(readonly gpu: Gpu, readonly label: string) {}

  /** Units that take about `ms`, at least one; one before anything was measured. */
  unitsIn(ms: number): number {
    return this.#unitMs === null ? 1 : Math.max(1, Math.floor(ms / this.#unitMs));
  }

  /** Adds to the portion in the making; call `endUnit` where a unit ends. */
  get encoder(): GPUCommandEncoder {
    return this.#encoder ??= this.gpu.device.createCommandEncoder({ label: this.label });
  }

  endUnit(): void {
    if (++this.#units >= this.unitsIn(SUBMIT_MS)) this.#endPortion();
  }

  /** Submits all portions. */
  submit(): void {
    this.#endPortion();
    for (const portion of this.#portions.splice(0)) this.gpu.device.queue.submit([portion]);
  }

  #endPortion(): void {
    if (this.#encoder) this.#portions.push(this.#encoder.finish());
    this.#encoder = null;
    this.#units = 0;
  }

  /** Tells that `units` took `elapsedMs` from the first encoding to the readback. */
  measured(units: number, elapsedMs: number): void {
    this.#unitMs = elapsedMs / units;
  }
}
