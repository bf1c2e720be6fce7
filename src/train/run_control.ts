import { Turns } from "../turns.ts";
import type { StepLimits, StopReason } from "./protocol.ts";

/** Ends work that a stop makes pointless: nothing of it is kept. */
export class StoppedError extends Error {
  override name = "StoppedError";

  constructor(readonly reason: StopReason) {
    super(`the run was ${reason}`);
  }
}

/** What the service asks of a run in training; the loop looks between bursts. */
export class RunControl {
  /** Why the run is to end, once it is. */
  stop: StopReason | null = null;
  #checkpointRequested = false;
  readonly #turns = new Turns();
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

  /** Lets commands in while the run is made ready. @throws {StoppedError} if one of them was a stop */
  async giveTurn(): Promise<void> {
    await this.#turns.give();
    if (this.stop !== null) throw new StoppedError(this.stop);
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
