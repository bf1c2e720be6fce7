import { describe, deviceLimits } from "../model/describe.ts";
import { type RunConfig, workloadOf } from "./config.ts";
import type { DeviceInfo, StepPoint } from "./protocol.ts";
import type { StepResult } from "./trainer.ts";

/** A burst lasts about this long: commands and progress wait no longer, a readback's ~11 ms stay small. */
const BURST_MS = 200;
/** How much the newest burst counts in the smoothed time of a step. */
const SMOOTHING = 0.1;

/** A peak that is still too low after it was measured again is not measured a third time before this has passed. */
const REMEASURE_MS = 60_000;

/** Times a run: sizes bursts, and turns the GPU's metrics into points. */
export class RunMeter {
  readonly parameters: number;
  readonly #flopsPerStep: number;
  /** Of the latest burst; null before the first. */
  #stepMs: number | null = null;
  #smoothStepMs: number | null = null;
  /** The measured speed of matrix multiplication: on a busy machine that is less than the device can do. */
  #peakGflops: number;
  #measuredAt = -Infinity;

  /** @param now in ms */
  constructor(readonly config: RunConfig, device: DeviceInfo, private readonly now = () => performance.now()) {
    this.#peakGflops = device.measured.gflops;
    const { parameters, flopsPerStep } = describe(workloadOf(config), deviceLimits(device));
    this.parameters = parameters;
    this.#flopsPerStep = flopsPerStep;
  }

  /** What the next burst will take, as far as is known: at least a step. */
  get burstMs(): number {
    return this.#stepMs === null ? 0 : Math.max(BURST_MS, this.#stepMs);
  }

  /** Steps for the next burst: 1 … `most`. */
  burstSteps(most: number): number {
    if (this.#stepMs === null) return 1;
    return Math.max(1, Math.min(most, Math.floor(BURST_MS / this.#stepMs)));
  }

  /** Whether the latest burst was faster than the peak: then the peak was measured too low, and is worth another look. */
  get isPeakStale(): boolean {
    return this.#stepMs !== null && this.#mfu(this.#stepMs) === null && this.now() - this.#measuredAt >= REMEASURE_MS;
  }

  /** Takes another measurement of the peak. A lower one says that the machine is busy, no more. */
  remeasured(gflops: number): void {
    this.#peakGflops = Math.max(this.#peakGflops, gflops);
    this.#measuredAt = this.now();
  }

  /**
   * The points of `results`, whose steps took `step_ms` each.
   * @param windowCount windows in an epoch
   */
  points(results: readonly StepResult[], step_ms: number, windowCount: number): StepPoint[] {
    // The first burst compiles kernels: its time says nothing of the next.
    if (this.#stepMs !== null) {
      const before = this.#smoothStepMs ?? step_ms;
      this.#smoothStepMs = before + SMOOTHING * (step_ms - before);
    }
    this.#stepMs = step_ms;
    const mfu = this.#mfu(step_ms);
    return results.map(({ step, loss, lr, gradNorm, targets, position }) => ({
      step,
      loss,
      lr,
      grad_norm: gradNorm,
      tokens_per_second: 1000 * targets / step_ms,
      step_ms,
      mfu,
      epoch: position / windowCount,
    }));
  }

  /** A share of a peak that was passed would be an invention: it is null. */
  #mfu(stepMs: number): number | null {
    const mfu = this.#flopsPerStep / (1e6 * stepMs) / this.#peakGflops;
    return mfu <= 1 ? mfu : null;
  }

  /** Seconds to the run's end at the present pace; null before there is one. */
  etaSeconds(step: number): number | null {
    return this.#smoothStepMs === null ? null : (this.config.max_steps - step) * this.#smoothStepMs / 1000;
  }
}
