/**
 * A process that dies sooner than this after it gave a run to a trainer has not yet used the run's memory: a supervisor
 * that kills servers as they start says nothing about the run.
 */
const DEATH_COUNTS_MS = 2000;

/** Tells when a run has trained for so long that a death of the process is counted against it. */
export class DeathWatch {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly onCount: (runId: string) => void, private readonly countsMs = DEATH_COUNTS_MS) {}

  /** The run begins to train. */
  begin(runId: string): void {
    this.#timers.set(runId, setTimeout(() => this.onCount(runId), this.countsMs));
  }

  /** The run trains no more. */
  end(runId: string): void {
    clearTimeout(this.#timers.get(runId));
    this.#timers.delete(runId);
  }

  /** Tells nothing any more. */
  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
