import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Database, openDatabase } from "../db/client.ts";
import type { EventType } from "../db/schema.ts";
import type { Log } from "../log.ts";
import { CheckpointStore } from "./checkpoint_store.ts";
import { type Clock, systemClock } from "./clock.ts";
import { DatabaseKeeper } from "./database_keeper.ts";
import { DatasetStore } from "./datasets.ts";
import { EventLog } from "./event_log.ts";
import { HookStore } from "./hooks.ts";
import { IdempotencyStore } from "./idempotency.ts";
import { MetricStore } from "./metric_store.ts";
import { OldSecrets } from "./old_secrets.ts";
import { Outbound } from "./outbound.ts";
import { Removals } from "./removals.ts";
import { forgetCorrupt } from "./reports.ts";
import { Runner, type RunnerSettings } from "./runner.ts";
import { RunStore } from "./run_store.ts";
import { SecretBox } from "./secret_box.ts";
import { Storage } from "./storage.ts";
import type { TrainerPort } from "./trainer_port.ts";
import { WebhookDeliverer } from "./webhook_deliverer.ts";
import { WebhookStore } from "./webhook_store.ts";

export interface ReverieOptions extends RunnerSettings {
  /** Folder of the database, the texts, the token shards, the checkpoints and what tuning found; made where it is missing. */
  dataFolder: string;
  tokens: string[];
  /** Null: a key file in the data folder. */
  secretKey: string | null;
  maxUploadBytes: number;
  /** Whether webhooks may go to private, loopback and link-local addresses. */
  allowPrivateUrls: boolean;
  /** The time for webhook deliveries and for secrets that expire. */
  clock?: Clock;
  log: Log;
  openTrainer: () => TrainerPort;
  /** The corpus of the dataset that is always there. */
  sampleText: () => AsyncIterable<Uint8Array>;
}

/** Everything below HTTP; what the routes call. */
export interface Reverie {
  db: Database;
  log: Log;
  /** Bearer tokens; empty: no authentication. */
  tokens: string[];
  maxUploadBytes: number;
  runs: RunStore;
  datasets: DatasetStore;
  events: EventLog;
  metrics: MetricStore;
  checkpoints: CheckpointStore;
  removals: Removals;
  hooks: HookStore;
  webhooks: WebhookStore;
  deliverer: WebhookDeliverer;
  idempotency: IdempotencyStore;
  storage: Storage;
  keeper: DatabaseKeeper;
  runner: Runner;
  /** Checkpoints what runs and ends followers once they have seen it. Requests are still answered. */
  stop(): Promise<void>;
  /** Closes the database; the last thing. */
  close(): void;
}

/** Where a run's life turns: a line in the log each. */
const LOGGED = new Set<EventType>([
  "run.queued",
  "run.started",
  "run.paused",
  "run.resumed",
  "run.interrupted",
  "run.succeeded",
  "run.failed",
  "run.cancelled",
  "run.deleted",
  "dataset.created",
  "dataset.deleted",
]);

/** Resolves once the data folder is in order and the device is known. */
export async function openReverie(options: ReverieOptions): Promise<Reverie> {
  const { log, tokens, maxUploadBytes, openTrainer, sampleText } = options;
  const folder = (name: string) => {
    const path = resolve(options.dataFolder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const [datasetsFolder, tokensFolder, checkpointsFolder, tuningFolder] = [
    folder("datasets"),
    folder("tokens"),
    folder("checkpoints"),
    folder("tuning"),
  ];
  const db = openDatabase(join(folder("."), "reverie.db"), (line) => log.info(line));
  const keeper = new DatabaseKeeper({ db, log });
  keeper.start();
  const box = options.secretKey === null
    ? SecretBox.fromKeyFile(join(folder("."), "secret.key"))
    : new SecretBox(options.secretKey);

  const runs = new RunStore(db);
  const events = new EventLog(db);
  events.onAppend(({ type, run_id, data }) => {
    if (LOGGED.has(type)) log.info({ run_id, step: data.step, error: data.error }, type);
  });
  const metrics = new MetricStore(db);
  const checkpoints = new CheckpointStore(db, checkpointsFolder);
  const removals = new Removals(db, log, () => void keeper.giveBack());
  const datasets = new DatasetStore(db, events, datasetsFolder, tokensFolder);
  const idempotency = new IdempotencyStore(db, box);
  const storage = new Storage(folder("."), log);
  const runner = new Runner({
    db,
    runs,
    datasets,
    events,
    metrics,
    checkpoints,
    removals,
    storage,
    tokensFolder,
    tuningFolder,
    openTrainer,
    log,
    settings: options,
  });
  const clock = options.clock ?? systemClock;
  const oldSecrets = new OldSecrets(db, box, clock, log);
  const hooks = new HookStore({
    db,
    box,
    oldSecrets,
    createRun: (request) => runner.create(request),
    checkRun: (request, dataset) => void runner.check(request, dataset),
  });
  const outbound = new Outbound({ allowPrivate: options.allowPrivateUrls });
  const webhooks = new WebhookStore(db, box, oldSecrets, (url) => outbound.parse(url));
  const deliverer = new WebhookDeliverer({ store: webhooks, outbound, clock, log });
  events.onAppend((event) => deliverer.accept(event));

  idempotency.prune();
  hooks.prune();
  oldSecrets.start();
  await datasets.prepare(sampleText);
  for (const lost of await checkpoints.sweep((runId) => runner.isElsewhere(runId))) {
    db.transaction(() => forgetCorrupt({ checkpoints, events }, lost, "its folder is gone"));
  }
  storage.keepReserve();
  await runner.start();
  deliverer.start();
  removals.start();

  const stop = async () => {
    await runner.close();
    await removals.close();
    events.close(); // after the runner: followers see its last event
    await deliverer.close();
    oldSecrets.close();
    await keeper.close();
  };
  const close = () => {
    db.$client.close();
  };
  return {
    db,
    log,
    tokens,
    maxUploadBytes,
    runs,
    datasets,
    events,
    metrics,
    checkpoints,
    removals,
    hooks,
    webhooks,
    deliverer,
    idempotency,
    storage,
    keeper,
    runner,
    stop,
    close,
  };
}
