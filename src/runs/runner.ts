import { isDeepStrictEqual } from "node:util";
import { isStorageError } from "../data/storage_error.ts";
import { type Database, transactionOfRepeatable, withoutLongWait } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import { ConflictError, QueueFullError, UnprocessableError, withoutPaths } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RunRequest } from "../train/config.ts";
import { admit, type Admitted, estimatedStepMs, trainingBytes } from "./admission.ts";
import { CallFailedError, type CallLimits, Calls } from "./calls.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import type { Dataset, DatasetStore } from "./datasets.ts";
import { DeathWatch } from "./death_watch.ts";
import type { EventLog } from "./event_log.ts";
import { LEASE_MS, Leases } from "./leases.ts";
import type { MetricStore } from "./metric_store.ts";
import { PatientWriter } from "./patient_writer.ts";
import type { Removals } from "./removals.ts";
import { ReportLine } from "./report_line.ts";
import { isRepeatable, recordEnd, recordReport, type RunReport } from "./reports.ts";
import type { RunRow, RunStore } from "./run_store.ts";
import { type Action, decide } from "./states.ts";
import type { Storage } from "./storage.ts";
import { StoragePauses } from "./storage_pauses.ts";
import type { TrainerPort } from "./trainer_port.ts";
import { type DeviceState, type PoolSettings, TrainerPool } from "./trainer_pool.ts";
import type { TrainerSlot } from "./trainer_slot.ts";
import { Transitions } from "./transitions.ts";

export interface RunnerDeps {
  db: Database;
  runs: RunStore;
  datasets: DatasetStore;
  events: EventLog;
  metrics: MetricStore;
  checkpoints: CheckpointStore;
  removals: Removals;
  storage: Storage;
  /** Folder for token shards, shared by all runs. */
  tokensFolder: string;
  /** Folder for what tuning found, shared by all runs. */
  tuningFolder: string;
  openTrainer: () => TrainerPort;
  log: Log;
  settings: RunnerSettings;
}

export interface RunnerSettings extends PoolSettings {
  /** Runs in the queue, at most. */
  maxQueued: number;
  /** How long an attempt must have lasted for the death of the process to be counted against its run. */
  deathCountsMs?: number;
  /** How often it is looked whether a run that waits for storage can go on. */
  storageLookMs?: number;
}

export type RunChanges = Partial<Pick<RunRow, "name" | "tags" | "priority">>;

/** What a call that drove a run did. */
export interface StepsTaken {
  from_step: number;
  to_step: number;
  status: RunRow["status"];
  /** The newest value of each. */
  metrics: RunRow["last_metrics"];
}

/** How long a stopping server waits for the trainers' last checkpoints; it must be gone within 10 s. */
const STOP_GRACE_MS = 8000;
/** A trainer that says nothing for this many steps hangs; the first step compiles. */
const PATIENCE_STEPS = 30;

/**
 * Takes runs through their lives: the queue is the table, each slot's trainer works on one run, and each report becomes
 * one transaction. Whatever dies, the rows say where to go on.
 */
export class Runner {
  readonly #pool: TrainerPool;
  readonly #leases: Leases;
  readonly #calls = new Calls();
  readonly #writer: PatientWriter;
  readonly #pauses: StoragePauses;
  readonly #transitions: Transitions;
  /** Runs told to stop because nothing can be written, and why. */
  readonly #outOfStorage = new Map<string, string>();
  readonly #deaths: DeathWatch;
  #leaseTimer: ReturnType<typeof setInterval> | undefined;
  #closing = false;
  #released = Promise.withResolvers<void>();
  /** Removals of folders, one after the other; a failed one is logged and swept up at the next start. */
  #removals: Promise<void> = Promise.resolve();

  constructor(private readonly deps: RunnerDeps) {
    const { db, openTrainer, settings, storage, log } = deps;
    this.#transitions = new Transitions(deps);
    this.#leases = new Leases(db);
    this.#writer = new PatientWriter({
      log,
      attempt: (work) => withoutLongWait(db, work),
      makeRoom: () => storage.giveReserve(),
      onStuck: (cause) => this.#stopForStorage(cause),
    });
    this.#deaths = new DeathWatch((id) => this.#countDeaths(id), settings.deathCountsMs);
    const line = new ReportLine({
      metrics: deps.metrics,
      log,
      isOurs: (slot, id) => slot.run === id && this.#leases.holds(deps.runs.get(id)),
      take: (slot, report) => this.#take(slot, report),
    });
    this.#pauses = new StoragePauses(deps, (run) => this.#resumeAfterStorage(run), settings.storageLookMs);
    this.#pool = new TrainerPool({
      openTrainer,
      settings,
      log,
      onFree: () => this.#pump(),
      onReport: (slot, report) => line.receive(slot, report),
      onLost: (slot, cause) => this.#loseTrainer(slot, cause),
    });
  }

  get device(): DeviceState {
    return this.#pool.device;
  }

  /** Whether another process, of another machine, trains this run. */
  isElsewhere(runId: string): boolean {
    const run = this.deps.runs.find(runId);
    return run?.status === "running" && !this.#leases.holds(run) && !this.#leases.isAbandoned(run);
  }

  /** Puts back what a dead process left running and opens the trainer. Resolves once the device is known. */
  start(): Promise<DeviceState> {
    this.#putBackAbandoned();
    this.#pauses.watch();
    this.#leaseTimer = setInterval(() => this.#keepLeases(), LEASE_MS / 3);
    return this.#pool.open();
  }

  /**
   * Decides about a run as `create` does, but for the queue, which may be full today and empty tomorrow.
   * @param dataset the one to look at, if that is not the one that the request names
   * @throws {NoDeviceError} without a GPU, {UnprocessableError} for a run that is impossible here
   */
  check(request: RunRequest, dataset = this.deps.datasets.find(request.dataset)): Admitted & { dataset: Dataset } {
    const device = this.#pool.requireDevice();
    if (!dataset) throw unknownDataset(request.dataset);
    return { ...admit(request, dataset, device), dataset };
  }

  /**
   * Queues a run, synchronously: in a transaction it is there or it is not.
   * @throws {NoDeviceError} without a GPU, {UnprocessableError} for a run that is impossible here, {QueueFullError}
   */
  create(request: RunRequest): RunRow {
    const { runs, events, db, settings } = this.deps;
    const { config, description, dataset } = this.check(request);
    if (config.drive === "background" && runs.queueLength() >= settings.maxQueued) {
      throw new QueueFullError(settings.maxQueued);
    }
    const run = db.transaction(() => {
      const run = runs.insert({
        id: newId("run"),
        name: config.name,
        status: "queued",
        dataset_id: dataset.id,
        config,
        tags: config.tags,
        priority: config.priority,
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

  /** Changes what a run is called and when it goes; what is already so is no change. @throws {NotFoundError} */
  edit(id: string, changes: RunChanges): RunRow {
    const { db, runs, events } = this.deps;
    return db.transaction(() => {
      const run = runs.get(id);
      const changed = Object.fromEntries(
        Object.entries(changes).filter(([key, value]) =>
          value !== undefined && !isDeepStrictEqual(value, run[key as keyof RunChanges])
        ),
      );
      if (Object.keys(changed).length === 0) return run;
      const edited = runs.update(id, changed);
      events.append(id, "run.updated", { name: edited.name, changed });
      return edited;
    });
  }

  /** @throws {NotFoundError}, {ConflictError} from a state where the action means nothing */
  act(action: Action, id: string): RunRow {
    const { db, runs, events } = this.deps;
    const run = db.transaction(() => {
      const run = runs.get(id);
      const decision = decide(action, run.status, run.stop_requested, run.waits_for_storage);
      switch (decision.kind) {
        case "refuse":
          throw new ConflictError(`cannot ${action} ${id}: ${decision.why}`);
        case "move":
          return this.#transitions.settle(
            run,
            decision.to,
            decision.to === "queued" ? "run.resumed" : `run.${decision.to}`,
          );
        case "stop":
          events.attribute(id, `run.${decision.request}`);
          return runs.update(id, { stop_requested: decision.request });
      }
    });
    if (run.status === "running" && run.stop_requested) {
      this.#pool.slotOf(id)?.post({ type: "stop", run_id: id, reason: run.stop_requested });
    } else if (run.status !== "queued") {
      this.#calls.end(id); // that still waited for its turn
    }
    this.#pump();
    return run;
  }

  /** Asks for a checkpoint at the next burst. @throws {ConflictError} where the run does not train */
  checkpoint(id: string): RunRow {
    const run = this.deps.runs.get(id);
    const slot = this.#pool.slotOf(id);
    if (!slot) throw new ConflictError(`cannot take a checkpoint of ${id}: the run is ${run.status}, not running`);
    this.deps.events.attribute(id, "run.checkpointed");
    slot.post({ type: "checkpoint", run_id: id });
    return run;
  }

  /**
   * Takes a run that is driven from outside some steps further; resolves when they are durable, and rejects with
   * {CallFailedError} where it got no turn in time or its trainer died.
   * @throws at once: {NotFoundError}, {NoDeviceError}, {ConflictError} where it is no such run or in no state to be driven
   */
  invoke(id: string, limits: CallLimits): Promise<StepsTaken> {
    const { runs } = this.deps;
    const { config, status, step } = runs.get(id);
    if (config.drive !== "invoke") {
      throw new ConflictError(`${id} trains by itself: only a run of "drive": "invoke" is called`);
    }
    if (status === "running" || this.#calls.has(id)) {
      throw new ConflictError(`another call drives ${id}: wait for its answer`);
    }
    if (status !== "queued") throw new ConflictError(`cannot drive ${id}: the run is ${status}`);
    this.#pool.requireDevice();
    return this.#calls.make(id, limits, () => this.#pump()).then((fromStep) => {
      const run = runs.get(id);
      return { from_step: fromStep ?? step, to_step: run.step, status: run.status, metrics: run.last_metrics };
    });
  }

  /** Deletes a run with its files; its points and events are removed in the background. @throws {ConflictError} while it runs */
  async remove(id: string): Promise<void> {
    const { db, runs, removals, events, checkpoints } = this.deps;
    if (runs.get(id).status === "running") throw new ConflictError(`${id} is running: cancel it first`);
    if (this.#calls.has(id)) throw new ConflictError(`a call drives ${id}: wait for its answer`);
    db.transaction(() => {
      const { name } = runs.get(id);
      runs.delete(id);
      removals.add(id);
      events.append(id, "run.deleted", { name }); // after what is removed: it stays
    });
    removals.start();
    await checkpoints.removeRunFolder(id);
  }

  /**
   * Stops the running runs with a checkpoint each and hears their trainers no more; they are back in the queue for the
   * next start. The trainers end with the process: a Worker terminated just before unloads its GPU driver while the
   * process exits, which crashed 7 of 46 stops with SIGSEGV; none of 110 where it was left alone.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.stopTimers();
    for (const slot of this.#pool.busy) slot.post({ type: "stop", run_id: slot.run!, reason: "interrupted" });
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.#released.resolve();
    }, STOP_GRACE_MS);
    while (this.#pool.busy.length > 0 && !isOver) await this.#released.promise;
    clearTimeout(timer);
    for (const { run } of this.#pool.busy) {
      this.#writer.write(() =>
        this.#transitions.putBack(run!, "the server stopped before the trainer answered", { crashed: false })
      );
    }
    this.#writer.close();
    this.#pool.forget();
    await this.#removals;
  }

  /** Nothing begins by itself any more. */
  stopTimers(): void {
    this.#deaths.stop();
    clearInterval(this.#leaseTimer);
    this.#pauses.close();
    this.#pool.stop();
  }

  #take(slot: TrainerSlot, report: RunReport): void {
    this.#writer.write(() => {
      if (report.run_id !== slot.run) {
        this.deps.log.warn({ report: report.type, run_id: report.run_id }, "report of a run that is not active");
        return;
      }
      try {
        this.#record(slot, report);
      } catch (error) {
        if (isStorageError(error)) throw error;
        // What the trainer did cannot be kept: going on would leave a hole in the history.
        slot.close();
        this.#loseTrainer(slot, error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #record(slot: TrainerSlot, report: RunReport): void {
    const { db, runs, checkpoints, log } = this.deps;
    if (!this.#leases.holds(runs.get(report.run_id))) return this.#leave(slot);
    if (report.type === "ended") {
      this.#recordEnd(slot, report);
      return;
    }
    if (report.type === "started" && report.tuning.note !== null) {
      log.warn({ run_id: report.run_id }, `tuning: ${report.tuning.note}`);
    }
    const record = () => recordReport(this.deps, report);
    const { droppedCheckpoints } = isRepeatable(report) ? transactionOfRepeatable(db, record) : db.transaction(record);
    if (report.type === "started") this.#calls.began(report.run_id, report.step);
    if (report.type === "checkpointed") this.#pump(); // what the run was suspected of may be over
    if (droppedCheckpoints.length > 0) this.#remove(() => checkpoints.removeFolders(droppedCheckpoints));
  }

  #recordEnd(slot: TrainerSlot, report: Extract<RunReport, { type: "ended" }>): void {
    const { db, runs } = this.deps;
    const { run_id: id, reason } = report;
    const cause = reason === "storage" ? report.error : this.#outOfStorage.get(id);
    if (reason === "storage" || reason === "interrupted") {
      if (cause === undefined || this.#closing) {
        this.#transitions.putBack(id, "the server was stopped", { crashed: false });
      } else {
        db.transaction(() => {
          const run = runs.get(id);
          if (!this.#transitions.settleAsAsked(run)) this.#pauses.pause(run, cause);
        });
      }
    } else {
      db.transaction(() => recordEnd(this.deps, { ...report, reason }));
    }
    this.#release(slot);
  }

  /** Gives free slots their runs: first those that a call waits for, then the queue's. */
  #pump(): void {
    this.#writer.write(() => {
      while (!this.#closing && this.#pool.device.status === "ready") {
        const run = this.#next();
        if (!run || !this.#hasMemoryFor(run)) return;
        const slot = this.#pool.findFree();
        if (!slot) return;
        this.#begin(slot, run);
      }
    });
  }

  #next(): RunRow | undefined {
    const { runs } = this.deps;
    for (const id of this.#calls.waiting) {
      const run = runs.find(id);
      if (run?.status === "queued") return run;
    }
    return runs.nextQueued();
  }

  /**
   * Nobody overtakes: a run that does not fit beside the others waits until they are over. One that the process died on
   * trains alone until it has a new checkpoint, so that the next death would be its own and no other's.
   */
  #hasMemoryFor(run: RunRow): boolean {
    const device = this.#pool.requireDevice();
    if (this.#pool.busy.length === 0) return true;
    const together = [run, ...this.#pool.busy.map((slot) => this.deps.runs.get(slot.run!))];
    if (together.some(({ process_deaths }) => process_deaths > 0)) return false;
    if (device.memoryBytes === null) return true;
    const bytes = together.reduce((sum, { config }) => sum + trainingBytes(config, device), 0);
    return bytes <= device.memoryBytes;
  }

  #begin(slot: TrainerSlot, run: RunRow): void {
    const { runs, datasets, checkpoints, tokensFolder, tuningFolder, settings } = this.deps;
    const device = this.#pool.requireDevice();
    const dataset = datasets.get(run.dataset_id ?? run.config.dataset);
    runs.update(run.id, {
      status: "running",
      started_at: run.started_at ?? now(),
      device: device.name,
      ...this.#leases.claim(),
    });
    const command = {
      type: "start",
      run_id: run.id,
      config: run.config,
      files: {
        text: datasets.path(dataset.id),
        textSha256: dataset.sha256,
        tokens: tokensFolder,
        tuning: tuningFolder,
        checkpoints: checkpoints.runFolder(run.id),
        resumeFrom: checkpoints.ofRun(run.id).map(({ directory, files }) => ({ directory, files })),
      },
      limits: this.#calls.take(run.id),
    } as const;
    const patienceMs = PATIENCE_STEPS * estimatedStepMs(run.config, device);
    slot.start(command, Math.max(1000 * settings.hangSeconds, patienceMs));
    this.#deaths.begin(run.id);
  }

  /** From now on the death of the process would be counted against the run. */
  #countDeaths(id: string): void {
    this.#writer.write(() => this.deps.runs.update(id, { death_counts: true }));
  }

  /** The trainer is gone: its run goes back to the queue, and a new one takes its place. */
  #loseTrainer(slot: TrainerSlot, cause: Error): void {
    const { run: id } = slot;
    this.deps.log.error({ err: cause, run_id: id }, "the trainer crashed");
    const why = `the trainer crashed: ${withoutPaths(cause.message)}`;
    this.#writer.write(() => {
      const attempt = id === null ? 1 : this.#transitions.putBack(id, why, { crashed: true });
      if (id !== null) {
        this.#calls.fail(id, new CallFailedError(`${why}; call again to go on from the last checkpoint`));
      }
      this.#pool.rest(slot, attempt);
      this.#release(slot);
    });
  }

  /** Another process took the run: what this one's trainer still says of it is void. */
  #leave(slot: TrainerSlot): void {
    const { run } = slot;
    this.deps.log.error({ run_id: run }, "another server has taken the run: this one leaves it");
    slot.close();
    if (run !== null) this.#calls.fail(run, new CallFailedError("another server has taken the run"));
    this.#release(slot);
  }

  #release(slot: TrainerSlot): void {
    const { run } = slot;
    slot.release();
    if (run !== null) {
      this.#deaths.end(run);
      this.#outOfStorage.delete(run);
      this.deps.runs.forget(run);
      this.#calls.end(run);
    }
    this.#released.resolve();
    this.#released = Promise.withResolvers();
    this.#pump();
  }

  #keepLeases(): void {
    try {
      const ids = this.#pool.busy.map(({ run }) => run!);
      for (const id of this.#leases.renew(ids)) this.#leave(this.#pool.slotOf(id)!);
      this.#putBackAbandoned();
    } catch (error) {
      if (!isStorageError(error)) throw error;
      this.deps.log.warn({ err: error }, "leases could not be renewed");
    }
  }

  /** Runs whose process is gone. */
  #putBackAbandoned(): void {
    for (const run of this.deps.runs.withStatus("running")) {
      if (!this.#leases.isAbandoned(run)) continue;
      const cause = "the server ended without stopping the run";
      this.#transitions.putBack(run.id, cause, { crashed: true, isAbandoned: true });
      this.#pump();
    }
  }

  /** Nothing can be written: no run may go on, since what it does could not be kept. */
  #stopForStorage(cause: string): void {
    for (const slot of this.#pool.busy) {
      const id = slot.run!;
      this.#outOfStorage.set(id, cause);
      this.deps.runs.overlay(id, { status: "paused", waits_for_storage: true, error: cause });
      slot.post({ type: "stop", run_id: id, reason: "interrupted" });
    }
  }

  #resumeAfterStorage(run: RunRow): void {
    this.#writer.write(() => {
      this.deps.db.transaction(() => this.#transitions.settle(run, "queued", "run.resumed", run.stalled_attempts));
      this.deps.storage.keepReserve();
    });
    this.#pump();
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
