/** What the service asks of a run in training; the loop looks between bursts. */
export class RunControl {
  /** Why the run is to end, once it is. */
  stop: "paused" | "cancelled" | "interrupted" | null = null;
  #checkpointRequested = false;

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
