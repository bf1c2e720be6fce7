import { now } from "../db/ids.ts";
import { withoutPaths } from "../errors.ts";
import type { Report } from "../train/protocol.ts";
import type { Checkpoint, CheckpointStore } from "./checkpoint_store.ts";
import type { EventLog } from "./event_log.ts";
import { NO_LEASE } from "./leases.ts";
import type { MetricName, MetricStore } from "./metric_store.ts";
import type { RunRow, RunStore } from "./run_store.ts";
import { isFinished, type SettledReason, statusAfterEnd } from "./states.ts";

export type RunReport = Exclude<Report, { type: "device" | "no_device" | "alive" }>;
type Of<T extends RunReport["type"]> = Extract<RunReport, { type: T }>;
/** An end that is no more than the run's row and an event; the others are the runner's. */
type Settled = Of<"ended"> & { reason: SettledReason };

/** A folder to be removed once the transaction is committed. */
type DroppedCheckpoint = Pick<Checkpoint, "run_id" | "directory">;

interface Stores {
  runs: RunStore;
  events: EventLog;
  metrics: MetricStore;
  checkpoints: CheckpointStore;
}

/** Writes down what the trainer reports: points, row and event together. Call it in a transaction. */
export function recordReport(
  stores: Stores,
  report: Exclude<RunReport, { type: "ended" }>,
): { droppedCheckpoints: DroppedCheckpoint[] } {
  const run = stores.runs.get(report.run_id);
  switch (report.type) {
    case "started":
      recordStart(stores, run, report);
      break;
    case "progress":
      recordProgress(stores, run, report);
      break;
    case "evaluated":
      recordEvaluation(stores, run, report);
      break;
    case "sampled":
      recordSample(stores, run, report);
      break;
    case "checkpointed":
      return { droppedCheckpoints: recordCheckpoint(stores, run, report) };
    case "checkpoint_corrupt":
      recordCorruption(stores, run, report);
      break;
  }
  return { droppedCheckpoints: [] };
}

/** Whether the next attempt would report it again, should it be lost: all but what says that files are there, or are not. */
export function isRepeatable({ type }: RunReport): boolean {
  return type !== "checkpointed" && type !== "checkpoint_corrupt";
}

/** Points past the step that an earlier attempt left are void: the steps will be trained, and reported, again. */
function recordStart({ runs, events, metrics }: Stores, run: RunRow, report: Of<"started">): void {
  const { step, parameters, epoch, tokens_seen, tuning } = report;
  metrics.dropAfter(run.id, step);
  runs.update(run.id, { step, parameters, epoch, tokens_seen, best_val_loss: metrics.bestValLoss(run.id, step) });
  const { max_steps, attempts, device } = run;
  events.append(run.id, "run.started", { step, max_steps, attempts, device, tuning });
}

function recordProgress({ runs, events, metrics }: Stores, run: RunRow, report: Of<"progress">): void {
  const { points, tokens_seen, eta_seconds, skipped_steps } = report;
  const last = points.at(-1);
  if (last === undefined) return;
  metrics.addTrainPoints(run.id, points);
  const newest: Partial<Record<MetricName, number | null>> = {
    "train/loss": last.loss,
    "train/lr": last.lr,
    "train/grad_norm": last.grad_norm,
    "train/tokens_per_second": last.tokens_per_second,
    "train/step_ms": last.step_ms,
    "train/mfu": last.mfu,
    "train/epoch": last.epoch,
  };
  runs.update(run.id, {
    step: last.step,
    epoch: last.epoch,
    tokens_seen,
    skipped_steps,
    last_metrics: { ...run.last_metrics, ...newest },
  });
  events.append(run.id, "run.progress", {
    step: last.step,
    max_steps: run.max_steps,
    points: points.map(({ step, loss, lr, grad_norm }) => ({ step, loss, lr, grad_norm })),
    tokens_per_second: last.tokens_per_second,
    eta_seconds,
    skipped_steps,
  });
}

function recordEvaluation({ runs, events, metrics }: Stores, run: RunRow, report: Of<"evaluated">): void {
  const { step, val_loss, val_perplexity, val_bpb } = report;
  metrics.setValPoint(run.id, { step, loss: val_loss, perplexity: val_perplexity, bpb: val_bpb });
  const newest: Partial<Record<MetricName, number>> = {
    "val/loss": val_loss,
    "val/perplexity": val_perplexity,
    "val/bpb": val_bpb,
  };
  const best_val_loss = metrics.bestValLoss(run.id, step);
  runs.update(run.id, { best_val_loss, last_metrics: { ...run.last_metrics, ...newest } });
  events.append(run.id, "run.evaluated", { step, val_loss, val_perplexity, val_bpb, best_val_loss });
}

function recordSample({ events }: Stores, run: RunRow, { step, prompt, text, ignored }: Of<"sampled">): void {
  events.append(run.id, "run.sampled", { step, prompt, text, ...(ignored === "" ? {} : { ignored }) });
}

function recordCheckpoint(stores: Stores, run: RunRow, report: Of<"checkpointed">): DroppedCheckpoint[] {
  const { checkpoints, runs, events } = stores;
  const before = checkpoints.newestOf(run.id)?.step ?? -1;
  const { checkpoint, dropped } = checkpoints.add(run.id, report, run.config.checkpoint.keep);
  // A new checkpoint is what progress means: the next attempt need not do those steps again.
  if (report.step > before) runs.update(run.id, { stalled_attempts: 0, process_deaths: 0 });
  const { id, step, train_loss, val_loss, bytes } = checkpoint;
  const { elapsed_ms } = report;
  const is_best = checkpoints.bestOf(run.id) === id;
  const facts = { checkpoint_id: id, step, train_loss, val_loss, bytes, is_best, elapsed_ms };
  events.append(run.id, "run.checkpointed", facts);
  return dropped;
}

function recordCorruption(stores: Stores, run: RunRow, { directory, problem }: Of<"checkpoint_corrupt">): void {
  const checkpoint = stores.checkpoints.ofRun(run.id).find((known) => known.directory === directory);
  if (checkpoint) forgetCorrupt(stores, checkpoint, problem);
}

/**
 * The row promised a whole folder. What is left of that stays beside the others, for whoever wants to see it. Call it in
 * a transaction.
 */
export function forgetCorrupt(
  { checkpoints, events }: Pick<Stores, "checkpoints" | "events">,
  checkpoint: Checkpoint,
  problem: string,
): void {
  checkpoints.setAside(checkpoint);
  const { id, run_id, step } = checkpoint;
  events.append(run_id, "run.checkpoint_corrupt", { checkpoint_id: id, step, problem });
}

/** Call it in a transaction, too. */
export function recordEnd({ runs, events }: Stores, report: Settled): void {
  const run = runs.get(report.run_id);
  const status = statusAfterEnd(report.reason, run.stop_requested);
  const error = report.reason === "failed" ? withoutPaths(report.error ?? "it did not say why") : null;
  const { step } = runs.update(run.id, {
    status,
    // One that failed need not know where it was.
    step: report.reason === "failed" ? run.step : report.step ?? run.step,
    error,
    stop_requested: null,
    finished_at: isFinished(status) ? now() : null,
    ...NO_LEASE,
  });
  const facts = { step, best_val_loss: run.best_val_loss };
  if (status === "running") throw new Error("a run whose trainer let go cannot be running");
  if (status === "queued") return; // until the next call
  events.append(run.id, `run.${status}`, error === null ? facts : { ...facts, error });
}
