import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Database, openDatabase } from "../db/client.ts";
import type { Log } from "../log.ts";
import { CheckpointStore } from "./checkpoint_store.ts";
import { DatasetStore } from "./datasets.ts";
import { EventLog } from "./event_log.ts";
import { HookStore } from "./hooks.ts";
import { IdempotencyStore } from "./idempotency.ts";
import { MetricStore } from "./metric_store.ts";
import { Runner, type RunnerSettings } from "./runner.ts";
import { RunStore } from "./run_store.ts";
import { SecretBox } from "./secret_box.ts";
import { Storage } from "./storage.ts";
import type { TrainerPort } from "./trainer_port.ts";

export interface ReverieOptions extends RunnerSettings {
  /** Folder of the database, the texts, the token shards, the checkpoints and what tuning found; made where it is missing. */
  dataFolder: string;
  tokens: string[];
  /** Null: a key file in the data folder. */
  secretKey: string | null;
  maxUploadBytes: number;
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
  hooks: HookStore;
  idempotency: IdempotencyStore;
  storage: Storage;
  runner: Runner;
  /** Checkpoints what runs and ends followers once they have seen it. Requests are still answered. */
  stop(): Promise<void>;
  /** Closes the database; the last thing. */
  close(): void;
}

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
  const db = openDatabase(join(folder("."), "reverie.db"));
  const box = options.secretKey === null
    ? SecretBox.fromKeyFile(join(folder("."), "secret.key"))
    : new SecretBox(options.secretKey);

  const runs = new RunStore(db);
  const events = new EventLog(db);
  const metrics = new MetricStore(db);
  const checkpoints = new CheckpointStore(db, checkpointsFolder);
  const datasets = new DatasetStore(db, datasetsFolder, tokensFolder);
  const idempotency = new IdempotencyStore(db, box);
  const storage = new Storage(folder("."), log);
  const runner = new Runner({
    db,
    runs,
    datasets,
    events,
    metrics,
    checkpoints,
    storage,
    tokensFolder,
    tuningFolder,
    openTrainer,
    log,
    settings: options,
  });
  const hooks = new HookStore(db, box, (request) => runner.create(request));

  idempotency.prune();
  await datasets.prepare(sampleText);
  for (const lost of await checkpoints.sweep((runId) => runner.isElsewhere(runId))) {
    db.transaction(() => {
      checkpoints.setAside(lost);
      const { id, step } = lost;
      events.append(lost.run_id, "run.checkpoint_corrupt", { checkpoint_id: id, step, problem: "its folder is gone" });
    });
  }
  storage.keepReserve();
  await runner.start();

  const stop = async () => {
    await runner.close();
    events.close(); // after the runner: followers see its last event
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
    hooks,
    idempotency,
    storage,
    runner,
    stop,
    close,
  };
}
