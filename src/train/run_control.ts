import type { StepLimits, StopReason } from "./protocol.ts";

/** What the service asks of a run in training; the loop looks between bursts. */
export class RunControl {
  /** Why the run is to end, once it is. */
  stop: StopReason | null = null;
  #checkpointRequested = false;
  readonly #deadline: number;
  /** Updates that this attempt may make. */
  readonly steps: number;

  constructor(limits: StepLimits | null = null) {
    this.steps = limits?.steps ?? Infinity;
    this.#deadline = performance.now() + (limits?.ms ?? Infinity);
  }

  /** Until the attempt must be over. */
  get leftMs(): number {
    return this.#deadline - performance.now();
  }

  requestCheckpoint(): void {
    this.#checkpointRequested = true;
  }

  get checkpointRequested(): boolean {
    return this.#checkpointRequested;
  }

  /** Whether a checkpoint was asked for since the last call. */
  takeCheckpointRequest(): boolean {
    const requested = this.#checkpointRequested;
    this.#checkpointRequested = false;
    return requested;
  }
}
