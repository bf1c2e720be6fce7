import type { Database } from "../db/client.ts";
import { now } from "../db/ids.ts";
import type { EventType } from "../db/schema.ts";
import type { EventLog } from "./event_log.ts";
import { NO_LEASE } from "./leases.ts";
import type { RunRow, RunStore } from "./run_store.ts";
import { isFinished, MAX_PROCESS_DEATHS, MAX_STALLED_ATTEMPTS, type StopRequest } from "./states.ts";

/** Changes of a run's status that no trainer reports: row and event together. */
export class Transitions {
  constructor(private readonly deps: { db: Database; runs: RunStore; events: EventLog }) {}

  /** To where a client wants it. Call it in a transaction. */
  settle(run: RunRow, status: StopRequest | "queued", event: EventType, stalled_attempts = 0): RunRow {
    const { runs, events } = this.deps;
    events.append(run.id, event, { step: run.step });
    return runs.update(run.id, {
      status,
      stop_requested: null,
      waits_for_storage: false,
      error: null,
      stalled_attempts,
      process_deaths: 0,
      finished_at: isFinished(status) ? now() : null,
      ...NO_LEASE,
    });
  }

  /** To where a client asked it to be before its trainer could answer; false where nobody asked. In a transaction. */
  settleAsAsked(run: RunRow): boolean {
    if (run.stop_requested === null) return false;
    this.settle(run, run.stop_requested, `run.${run.stop_requested}`);
    return true;
  }

  /**
   * A running run lost its trainer: back to the queue, to go on from its last checkpoint, or given up. Gives how often
   * the next run to start has crashed without progress.
   * @param isAbandoned whether the whole process that trained it is gone
   */
  putBack(
    id: string,
    cause: string,
    { crashed, isAbandoned = false }: { crashed: boolean; isAbandoned?: boolean },
  ): number {
    const { db, runs, events } = this.deps;
    return db.transaction(() => {
      const run = runs.get(id);
      if (this.settleAsAsked(run)) return 1;
      const attempts = run.attempts + 1;
      const stalled_attempts = run.stalled_attempts + (crashed ? 1 : 0);
      const process_deaths = run.process_deaths + (isAbandoned && run.death_counts ? 1 : 0);
      const counts = { attempts, stalled_attempts, process_deaths };
      if (crashed && (stalled_attempts >= MAX_STALLED_ATTEMPTS || process_deaths >= MAX_PROCESS_DEATHS)) {
        const error = process_deaths >= MAX_PROCESS_DEATHS
          ? killedServer(process_deaths)
          : `gave up after ${stalled_attempts} attempts without progress; the last one: ${cause}`;
        const finished_at = now();
        runs.update(id, { status: "failed", error, ...counts, finished_at, ...NO_LEASE });
        events.append(id, "run.failed", { step: run.step, error, attempts });
        return 1; // the next run has done nothing yet
      }
      runs.update(id, { status: "queued", ...counts, ...NO_LEASE });
      events.append(id, "run.interrupted", { step: run.step, attempts, cause });
      return stalled_attempts;
    });
  }
}

function killedServer(deaths: number): string {
  return `the whole server died ${deaths} times while it trained this run, without a new checkpoint in between. ` +
    "A likely reason is that the machine ran out of memory: lower batch_size, context_length, n_layer or n_embd. " +
    "If something else killed it, start the run again, with checkpoints more often";
}
