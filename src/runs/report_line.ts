import type { Log } from "../log.ts";
import { nextTurn } from "../turns.ts";
import type { MetricStore } from "./metric_store.ts";
import type { RunReport } from "./reports.ts";
import type { TrainerSlot } from "./trainer_slot.ts";

type Started = Extract<RunReport, { type: "started" }>;

interface ReportLineDeps {
  metrics: MetricStore;
  log: Log;
  /** Whether this process still trains the run in this slot. */
  isOurs: (slot: TrainerSlot, runId: string) => boolean;
  take: (slot: TrainerSlot, report: RunReport) => void;
}

/**
 * Passes on each slot's reports in the order they came. A start that voids many points waits until those are removed,
 * and the reports that follow it wait too.
 */
export class ReportLine {
  /** The last report of each slot that waits. */
  readonly #held = new Map<TrainerSlot, Promise<void>>();

  constructor(private readonly deps: ReportLineDeps) {}

  /** Passes a report on: at once, unless it must wait. */
  receive(slot: TrainerSlot, report: RunReport): void {
    const { take } = this.deps;
    const held = this.#held.get(slot);
    if (held === undefined && !this.#voidsMany(report)) return take(slot, report);
    const taken = (held ?? Promise.resolve())
      .then(() => report.type === "started" ? this.#removeVoid(slot, report) : undefined)
      .then(() => take(slot, report))
      .finally(() => this.#held.get(slot) === taken && this.#held.delete(slot));
    this.#held.set(slot, taken);
  }

  /** If the database cannot be read now, the start does not wait: whoever takes it has patience with the database. */
  #voidsMany(report: RunReport): boolean {
    if (report.type !== "started") return false;
    const { metrics, log } = this.deps;
    try {
      return metrics.hasManyAfter(report.run_id, report.step);
    } catch (error) {
      log.warn({ err: error, run_id: report.run_id }, "could not look for points past the checkpoint");
      return false;
    }
  }

  /** Removes void points in slices; if that fails, the rest is removed with the start. */
  async #removeVoid(slot: TrainerSlot, { run_id, step }: Started): Promise<void> {
    const { metrics, log, isOurs } = this.deps;
    try {
      while (isOurs(slot, run_id) && metrics.removeSliceAfter(run_id, step)) await nextTurn();
    } catch (error) {
      log.warn({ err: error, run_id }, "points past the checkpoint could not be removed in slices");
    }
  }
}
