import type { IdempotencyStore } from "#src/runs/idempotency.ts";
import type { CheckpointStore } from "#src/runs/checkpoint_store.ts";
import type { DatasetStore } from "#src/runs/datasets.ts";
import type { Database } from "#src/db/client.ts";
import type { EventLog } from "#src/runs/event_log.ts";
import type { HookStore } from "#src/runs/hooks.ts";
import type { Log } from "#src/log.ts";
import type { MetricStore } from "#src/runs/metric_store.ts";
import type { Runner } from "#src/runs/runner.ts";
import type { RunStore } from "#src/runs/run_store.ts";

/** What the routes call. */
export interface Deps {
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
  runner: Runner;
}
