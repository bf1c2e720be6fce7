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
    const { metrics, take } = this.deps;
    const held = this.#held.get(slot);
    const voids = report.type === "started" && metrics.hasManyAfter(report.run_id, report.step);
    if (held === undefined && !voids) return take(slot, report);
    const taken = (held ?? Promise.resolve())
      .then(() => report.type === "started" ? this.#removeVoid(slot, report) : undefined)
      .then(() => take(slot, report))
      .finally(() => this.#held.get(slot) === taken && this.#held.delete(slot));
    this.#held.set(slot, taken);
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
