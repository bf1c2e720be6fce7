import { type Database, transactionOfRepeatable } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import type { EventType } from "../db/schema.ts";
import { ConflictError, NoDeviceError, UnprocessableError, withoutPaths } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RunRequest } from "../train/config.ts";
import type { DeviceInfo, Report } from "../train/protocol.ts";
import { admit } from "./admission.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import type { DatasetStore } from "./datasets.ts";
import type { EventLog } from "./event_log.ts";
import type { MetricStore } from "./metric_store.ts";
import { isRepeatable, recordReport, type RunReport } from "./reports.ts";
import type { RunRow, RunStore } from "./run_store.ts";
import { type Action, decide, isFinished, MAX_STALLED_ATTEMPTS, type StopRequest } from "./states.ts";
import type { TrainerPort } from "./trainer_port.ts";

export type DeviceState =
  | { status: "opening" }
  | { status: "ready"; device: DeviceInfo }
  | { status: "none"; reason: string };

export interface RunnerDeps {
  db: Database;
  runs: RunStore;
  datasets: DatasetStore;
  events: EventLog;
  metrics: MetricStore;
  checkpoints: CheckpointStore;
  /** Folder for token shards, shared by all runs. */
  tokensFolder: string;
  /** Folder for what tuning found, shared by all runs. */
  tuningFolder: string;
  openTrainer: () => TrainerPort;
  log: Log;
}

/** How long a stopping server waits for the trainer's last checkpoint; it must be gone within 10 s. */
const STOP_GRACE_MS = 8000;

/**
 * Takes runs through their lives: the queue is the table, the trainer works on one at a time, and each of its reports
 * becomes one transaction. Whatever dies, the rows say where to go on.
 */
export class Runner {
  #device: DeviceState = { status: "opening" };
  #trainer: TrainerPort | null = null;
  /** The trainer has a device and may be given a run. */
  #trainerReady = false;
  /** Id of the run the trainer works on. */
  #active: string | null = null;
  #closing = false;
  readonly #opened = Promise.withResolvers<DeviceState>();
  #released = Promise.withResolvers<void>();
  /** Removals of folders, one after the other; a failed one is logged and swept up at the next start. */
  #removals: Promise<void> = Promise.resolve();

  constructor(private readonly deps: RunnerDeps) {}

  get device(): DeviceState {
    return this.#device;
  }

  /** Puts back what a dead process left running and opens the trainer. Resolves once the device is known. */
  start(): Promise<DeviceState> {
    for (const run of this.deps.runs.withStatus("running")) {
      this.#putBack(run.id, "the server ended without stopping the run", { crashed: true });
    }
    this.#openTrainer();
    return this.#opened.promise;
  }

  /**
   * Queues a run, synchronously: in a transaction it is there or it is not.
   * @throws {NoDeviceError} without a GPU, {UnprocessableError} for a run that is impossible here
   */
  create(request: RunRequest): RunRow {
    const { runs, events, datasets, db } = this.deps;
    if (this.#device.status !== "ready") {
      throw new NoDeviceError(this.#device.status === "none" ? this.#device.reason : "the GPU is still being opened");
    }
    const dataset = datasets.find(request.dataset);
    if (!dataset) throw unknownDataset(request.dataset);
    const { config, description } = admit(request, dataset, this.#device.device);
    const run = db.transaction(() => {
      const run = runs.insert({
        id: newId("run"),
        name: config.name,
        status: "queued",
        dataset_id: dataset.id,
        config,
        tags: config.tags,
        max_steps: config.max_steps,
        parameters: description.parameters,
        created_at: now(),
      });
      events.append(run.id, "run.queued", { name: run.name, dataset_id: dataset.id, max_steps: run.max_steps });
      return run;
    });
    // Later: the caller's transaction, if there is one, must be over before the trainer hears of the run.
    queueMicrotask(() => this.#pump());
    return run;
  }

  /** @throws {NotFoundError}, {ConflictError} from a state where the action means nothing */
  act(action: Action, id: string): RunRow {
    const { db, runs, events } = this.deps;
    const run = db.transaction(() => {
      const run = runs.get(id);
      const decision = decide(action, run.status, run.stop_requested);
      switch (decision.kind) {
        case "refuse":
          throw new ConflictError(`cannot ${action} ${id}: ${decision.why}`);
        case "move":
          return this.#settle(run, decision.to, decision.to === "queued" ? "run.resumed" : `run.${decision.to}`);
        case "stop":
          events.attribute(id, `run.${decision.request}`);
          return runs.update(id, { stop_requested: decision.request });
      }
    });
    if (run.status === "running" && run.stop_requested) {
      this.#trainer?.post({ type: "stop", run_id: id, reason: run.stop_requested });
    }
    this.#pump();
    return run;
  }

  /** Asks for a checkpoint at the next burst. @throws {ConflictError} where the run does not train */
  checkpoint(id: string): RunRow {
    const run = this.deps.runs.get(id);
    if (this.#active !== id || !this.#trainer) {
      throw new ConflictError(`cannot take a checkpoint of ${id}: the run is ${run.status}, not running`);
    }
    this.deps.events.attribute(id, "run.checkpointed");
    this.#trainer.post({ type: "checkpoint", run_id: id });
    return run;
  }

  /** Deletes a run with its points, events and files. @throws {ConflictError} while it runs */
  async remove(id: string): Promise<void> {
    const { runs, events, checkpoints } = this.deps;
    if (runs.get(id).status === "running") throw new ConflictError(`${id} is running: cancel it first`);
    runs.delete(id);
    events.wake();
    await checkpoints.removeRunFolder(id);
  }

  /**
   * Stops the running run with a checkpoint and hears the trainer no more; the run is back in the queue for the next
   * start. The trainer ends with the process: a Worker terminated just before unloads its GPU driver while the process
   * exits, which crashed 7 of 46 stops with SIGSEGV; none of 110 where it was left alone.
   */
  async close(): Promise<void> {
    this.#closing = true;
    const id = this.#active;
    if (id !== null) {
      this.#trainer?.post({ type: "stop", run_id: id, reason: "interrupted" });
      const timer = setTimeout(() => this.#released.resolve(), STOP_GRACE_MS);
      await this.#released.promise;
      clearTimeout(timer);
      if (this.#active === id) this.#putBack(id, "the server stopped before the trainer answered", { crashed: false });
    }
    this.#trainer = null;
    await this.#removals;
  }

  #openTrainer(): void {
    const trainer = this.deps.openTrainer();
    this.#trainer = trainer;
    this.#trainerReady = false;
    trainer.onCrash((cause) => this.#lose(trainer, cause));
    trainer.onReport((report) => {
      if (trainer !== this.#trainer) return;
      try {
        this.#receive(report);
      } catch (error) {
        // What the trainer did cannot be kept (a full disk, say): going on would leave a hole in the history.
        trainer.close();
        this.#lose(trainer, error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #receive(report: Report): void {
    if (report.type === "device") {
      this.#setDevice({ status: "ready", device: report.device });
      this.#trainerReady = true;
      this.#pump();
    } else if (report.type === "no_device") {
      this.#setDevice({ status: "none", reason: report.message });
    } else if (report.run_id === this.#active) {
      this.#record(report);
    } else {
      this.deps.log.warn({ report: report.type, run_id: report.run_id }, "report of a run that is not active");
    }
  }

  #record(report: RunReport): void {
    const { db, checkpoints, log } = this.deps;
    if (report.type === "started" && report.tuning.note !== null) {
      log.warn({ run_id: report.run_id }, `tuning: ${report.tuning.note}`);
    }
    if (report.type === "ended" && report.reason === "interrupted") {
      this.#putBack(report.run_id, "the server was stopped", { crashed: false });
    } else {
      const record = () => recordReport(this.deps, report);
      const { droppedCheckpoints } = isRepeatable(report)
        ? transactionOfRepeatable(db, record)
        : db.transaction(record);
      if (droppedCheckpoints.length > 0) this.#remove(() => checkpoints.removeFolders(droppedCheckpoints));
    }
    if (report.type === "ended") this.#release();
  }

  #setDevice(state: DeviceState): void {
    this.#device = state;
    this.#opened.resolve(state);
  }

  /** Gives the trainer the oldest queued run, if both are free. */
  #pump(): void {
    if (this.#active !== null || this.#closing || !this.#trainer || !this.#trainerReady) return;
    if (this.#device.status !== "ready") return;
    const { runs, datasets, checkpoints, tokensFolder, tuningFolder } = this.deps;
    const run = runs.nextQueued();
    if (!run) return;
    const dataset = datasets.get(run.dataset_id ?? run.config.dataset);
    const from = checkpoints.newestOf(run.id);
    runs.update(run.id, {
      status: "running",
      started_at: run.started_at ?? now(),
      device: this.#device.device.name,
    });
    this.#active = run.id;
    this.#trainer.post({
      type: "start",
      run_id: run.id,
      config: run.config,
      files: {
        text: datasets.path(dataset.id),
        textSha256: dataset.sha256,
        tokens: tokensFolder,
        tuning: tuningFolder,
        checkpoints: checkpoints.runFolder(run.id),
        resumeFrom: from ? checkpoints.folder(from) : null,
      },
    });
  }

  /** The trainer is gone: its run goes back to the queue, and a new one takes its place. */
  #lose(trainer: TrainerPort, cause: Error): void {
    if (trainer !== this.#trainer) return;
    this.deps.log.error({ err: cause, run_id: this.#active }, "the trainer crashed");
    this.#trainer = null;
    const hadDevice = this.#trainerReady;
    this.#trainerReady = false;
    const why = withoutPaths(cause.message);
    if (this.#active !== null) this.#putBack(this.#active, `the trainer crashed: ${why}`, { crashed: true });
    this.#release();
    // One that died before it had a device would die again.
    if (!hadDevice) this.#setDevice({ status: "none", reason: `the trainer could not start: ${why}` });
    else if (!this.#closing) this.#openTrainer();
  }

  #release(): void {
    this.#active = null;
    this.#released.resolve();
    this.#released = Promise.withResolvers();
    this.#pump();
  }

  /** A running run lost its trainer: back to the queue, to go on from its last checkpoint, or given up. */
  #putBack(id: string, cause: string, { crashed }: { crashed: boolean }): void {
    const { db, runs, events } = this.deps;
    db.transaction(() => {
      const run = runs.get(id);
      if (run.stop_requested) {
        this.#settle(run, run.stop_requested, `run.${run.stop_requested}`);
        return;
      }
      const attempts = run.attempts + 1;
      const stalled_attempts = run.stalled_attempts + (crashed ? 1 : 0);
      if (crashed && stalled_attempts >= MAX_STALLED_ATTEMPTS) {
        const error = `gave up after ${stalled_attempts} attempts without progress; the last one: ${cause}`;
        runs.update(id, { status: "failed", error, attempts, stalled_attempts, finished_at: now() });
        events.append(id, "run.failed", { step: run.step, error, attempts });
      } else {
        runs.update(id, { status: "queued", attempts, stalled_attempts });
        events.append(id, "run.interrupted", { step: run.step, attempts, cause });
      }
    });
  }

  #settle(run: RunRow, status: StopRequest | "queued", event: EventType): RunRow {
    const { runs, events } = this.deps;
    events.append(run.id, event, { step: run.step });
    return runs.update(run.id, { status, stop_requested: null, finished_at: isFinished(status) ? now() : null });
  }

  #remove(remove: () => Promise<void>): void {
    this.#removals = this.#removals.then(remove)
      .catch((error) => this.deps.log.error({ err: error }, "could not remove files; the next start will"));
  }
}

export function unknownDataset(name: string): UnprocessableError {
  const message = `there is no dataset "${name}"`;
  return new UnprocessableError(message, [{ path: "dataset", message }]);
}
