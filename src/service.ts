import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Deps } from "#routes/deps.ts";
import { openDatabase } from "./db/client.ts";
import type { Log } from "./log.ts";
import { CheckpointStore } from "./runs/checkpoint_store.ts";
import { DatasetStore } from "./runs/datasets.ts";
import { EventLog } from "./runs/event_log.ts";
import { HookStore } from "./runs/hooks.ts";
import { IdempotencyStore } from "./runs/idempotency.ts";
import { MetricStore } from "./runs/metric_store.ts";
import { type DeviceState, Runner } from "./runs/runner.ts";
import { RunStore } from "./runs/run_store.ts";
import { SecretBox } from "./runs/secret_box.ts";
import type { TrainerPort } from "./runs/trainer_port.ts";

export interface ServiceOptions {
  /** Folder of the database, the texts, the token shards and the checkpoints; made where it is missing. */
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

export interface Service extends Deps {
  device: DeviceState;
  /** Ends followers, checkpoints what runs, closes the database. Requests must be over or ending. */
  close(): Promise<void>;
}

/** Opens everything below HTTP. Resolves once the data folder is in order and the device is known. */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { log, tokens, maxUploadBytes, openTrainer, sampleText } = options;
  const folder = (name: string) => {
    const path = resolve(options.dataFolder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const [datasetsFolder, tokensFolder, checkpointsFolder] = [folder("datasets"), folder("tokens"), folder("checkpoints")];
  const db = openDatabase(join(folder("."), "reverie.db"));
  const box = options.secretKey === null
    ? SecretBox.fromKeyFile(join(folder("."), "secret.key"))
    : new SecretBox(options.secretKey);

  const runs = new RunStore(db);
  const events = new EventLog(db);
  const metrics = new MetricStore(db);
  const checkpoints = new CheckpointStore(db, checkpointsFolder);
  const datasets = new DatasetStore(db, datasetsFolder);
  const idempotency = new IdempotencyStore(db, box);
  const runner = new Runner({ db, runs, datasets, events, metrics, checkpoints, tokensFolder, openTrainer, log });
  const hooks = new HookStore(db, box, (request) => runner.create(request));

  idempotency.prune();
  await datasets.prepare(sampleText);
  await checkpoints.sweep();
  const device = await runner.start();

  const close = async () => {
    events.close();
    await runner.close();
    db.$client.close();
  };
  return {
    db, log, tokens, maxUploadBytes, runs, datasets, events, metrics, checkpoints, hooks, idempotency, runner, device, close,
  };
}
