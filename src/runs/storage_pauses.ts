import { isStorageError } from "../data/storage_error.ts";
import type { Log } from "../log.ts";
import { modelBytes } from "./admission.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import type { EventLog } from "./event_log.ts";
import { NO_LEASE } from "./leases.ts";
import type { RunRow, RunStore } from "./run_store.ts";
import { MAX_STALLED_ATTEMPTS } from "./states.ts";
import type { Storage } from "./storage.ts";

const LOOK_MS = 3000;

/** Runs that were paused because the data folder could not be written, and go on by themselves once it can. */
export class StoragePauses {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param resume puts a run back into the queue */
  constructor(
    private readonly deps: {
      runs: RunStore;
      events: EventLog;
      checkpoints: CheckpointStore;
      storage: Storage;
      log: Log;
    },
    private readonly resume: (run: RunRow) => void,
    private readonly lookMs = LOOK_MS,
  ) {}

  /** Call it in a transaction. One that got nowhere time and again waits for somebody to look at it. */
  pause(run: RunRow, cause: string): void {
    const { runs, events } = this.deps;
    const stalled_attempts = run.stalled_attempts + 1;
    const waits_for_storage = stalled_attempts < MAX_STALLED_ATTEMPTS;
    const error = waits_for_storage
      ? `the data folder cannot be written: ${cause}; the run goes on once it can`
      : `the data folder cannot be written: ${cause}; mend that and resume the run`;
    runs.update(run.id, { status: "paused", error, waits_for_storage, stalled_attempts, ...NO_LEASE });
    events.append(run.id, "run.paused", { step: run.step, error, waits_for_storage });
    this.watch();
  }

  /** Looks every few seconds, while a run waits, whether it can go on. */
  watch(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const waiting = this.deps.runs.waitingForStorage();
      for (const run of waiting) if (this.#isWritable(run)) this.resume(run);
      if (waiting.length > 0) this.watch();
    }, this.lookMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #isWritable(run: RunRow): boolean {
    const { checkpoints, storage, log } = this.deps;
    const bytes = checkpoints.newestOf(run.id)?.bytes ?? modelBytes(run.config);
    try {
      storage.probe(checkpoints.runFolder(run.id), bytes);
      return true;
    } catch (error) {
      if (!isStorageError(error)) log.error({ err: error, run_id: run.id }, "the data folder cannot be looked at");
      return false;
    }
  }
}
