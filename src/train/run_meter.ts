import { describe, deviceLimits } from "../model/describe.ts";
import { type RunConfig, workloadOf } from "./config.ts";
import type { DeviceInfo, StepPoint } from "./protocol.ts";
import type { StepResult } from "./trainer.ts";

/** A burst lasts about this long: commands and progress wait no longer, a readback's ~11 ms stay small. */
const BURST_MS = 200;
/** How much the newest burst counts in the smoothed time of a step. */
const SMOOTHING = 0.1;

/** Times a run: sizes bursts, and turns the GPU's metrics into points. */
export class RunMeter {
  readonly parameters: number;
  readonly #flopsPerStep: number;
  /** Of the latest burst; null before the first. */
  #stepMs: number | null = null;
  #smoothStepMs: number | null = null;

  constructor(readonly config: RunConfig, readonly device: DeviceInfo) {
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

  /** The points of a burst that took `elapsedMs`, its steps sharing the time. */
  points(results: readonly StepResult[], elapsedMs: number, epoch: number, windowCount: number): StepPoint[] {
    const step_ms = elapsedMs / results.length;
    // The first burst compiles kernels: its time says nothing of the next.
    if (this.#stepMs !== null) {
      const before = this.#smoothStepMs ?? step_ms;
      this.#smoothStepMs = before + SMOOTHING * (step_ms - before);
    }
    this.#stepMs = step_ms;
    const windows = this.config.batch_size * this.config.gradient_accumulation_steps;
    return results.map(({ step, loss, lr, gradNorm, targets }, index) => ({
      step,
      loss,
      lr,
      grad_norm: gradNorm,
      tokens_per_second: 1000 * targets / step_ms,
      step_ms,
      mfu: this.#flopsPerStep / (1e6 * step_ms) / this.device.measured.gflops,
      epoch: epoch - (results.length - 1 - index) * windows / windowCount,
    }));
  }

  /** Seconds to the run's end at the present pace; null before there is one. */
  etaSeconds(step: number): number | null {
    return this.#smoothStepMs === null ? null : (this.config.max_steps - step) * this.#smoothStepMs / 1000;
  }
}
