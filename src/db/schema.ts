import { desc } from "drizzle-orm";
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { RunConfig } from "../train/config.ts";
import type { CheckpointFile } from "../train/protocol.ts";

/**
 * The tables. Properties are in snake_case because rows go out as the API's JSON.
 * Times are ISO 8601 UTC strings; ids are `prefix_ulid`, so ordering by id is ordering by creation.
 */

export const RUN_STATUSES = ["queued", "running", "paused", "succeeded", "failed", "cancelled"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export const EVENT_TYPES = [
  "run.queued",
  "run.started",
  "run.progress",
  "run.evaluated",
  "run.sampled",
  "run.checkpointed",
  "run.checkpoint_corrupt",
  "run.paused",
  "run.resumed",
  "run.interrupted",
  "run.succeeded",
  "run.failed",
  "run.cancelled",
  "run.updated",
  "run.deleted",
  "dataset.created",
  "dataset.deleted",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** A row means that the text lies whole under `datasets/<id>.txt`. */
export const datasets = sqliteTable("datasets", {
  id: text().primaryKey(),
  name: text().notNull().unique(),
  sha256: text().notNull().unique(),
  bytes: integer().notNull(),
  characters: integer().notNull(),
  distinct_characters: integer().notNull(),
  documents: integer().notNull(),
  created_at: text().notNull(),
});

/** Every name that a text was uploaded under; the first is `datasets.name`. */
export const dataset_names = sqliteTable("dataset_names", {
  name: text().primaryKey(),
  dataset_id: text().notNull().references(() => datasets.id, { onDelete: "cascade" }),
  created_at: text().notNull(),
}, (table) => [index("dataset_names_dataset").on(table.dataset_id, table.created_at)]);

/** The runs, and with `status = 'queued'` the queue. */
export const runs = sqliteTable("runs", {
  id: text().primaryKey(),
  name: text().notNull(),
  status: text({ enum: RUN_STATUSES }).notNull(),
  /** Null once the dataset of a finished run was deleted. */
  dataset_id: text().references(() => datasets.id, { onDelete: "set null" }),
  config: text({ mode: "json" }).$type<RunConfig>().notNull(),
  tags: text({ mode: "json" }).$type<Record<string, string>>().notNull(),
  step: integer().notNull().default(0),
  max_steps: integer().notNull(),
  epoch: real().notNull().default(0),
  tokens_seen: integer().notNull().default(0),
  parameters: integer().notNull(),
  best_val_loss: real(),
  last_metrics: text({ mode: "json" }).$type<Record<string, number | null>>(),
  device: text(),
  error: text(),
  /** How often a crash or a restart put the run back into the queue. */
  attempts: integer().notNull().default(0),
  /** Crashes since the last new checkpoint. */
  stalled_attempts: integer().notNull().default(0),
  /** How often the whole process died while it trained this run, since the last new checkpoint. */
  process_deaths: integer().notNull().default(0),
  /** Whether its attempt has lasted long enough that a death of the process now would be counted. */
  death_counts: integer({ mode: "boolean" }).notNull().default(false),
  /** What a client asked of a running run and its trainer has not answered yet. */
  stop_requested: text({ enum: ["paused", "cancelled"] }),
  /** Of the queued, the highest goes first; equals in the order they were asked for. */
  priority: integer().notNull().default(0),
  /** Updates skipped because the gradient was not finite. */
  skipped_steps: integer().notNull().default(0),
  /** Of a paused run: it goes on by itself once the data folder can be written again. */
  waits_for_storage: integer({ mode: "boolean" }).notNull().default(false),
  /** Of a running run: the process that trains it, and until when others must believe that it does. */
  lease_owner: text(),
  lease_expires_at: text(),
  created_at: text().notNull(),
  started_at: text(),
  finished_at: text(),
}, (table) => [
  index("runs_queue").on(table.status, desc(table.priority), table.id),
  index("runs_status").on(table.status, table.id),
  index("runs_dataset").on(table.dataset_id, table.status),
]);

/**
 * A small integer for each run, which keys its points: 27 bytes less a row than the id. AUTOINCREMENT never gives a key
 * twice, so a new run cannot inherit points of a deleted one that are still being removed.
 */
export const run_keys = sqliteTable("run_keys", {
  key: integer().primaryKey({ autoIncrement: true }),
  /** No foreign key: the row stays until the last point of a deleted run is removed. */
  run_id: text().notNull().unique(),
});

/**
 * One row a training step; a column is null where the value was not finite. Drizzle cannot express it, but the tables of
 * points are WITHOUT ROWID (the migration's SQL was edited by hand): the rows lie in the primary key's own B-tree, 83
 * bytes a step where a rowid table with an index on a text key took 154. There is no foreign key, since the rows of a
 * deleted run are removed later, in slices (`Removals`).
 */
export const train_points = sqliteTable("train_points", {
  run_key: integer().notNull(),
  step: integer().notNull(),
  loss: real(),
  lr: real(),
  grad_norm: real(),
  tokens_per_second: real(),
  step_ms: real(),
  mfu: real(),
  epoch: real(),
}, (table) => [primaryKey({ columns: [table.run_key, table.step] })]);

/** One row an evaluation on the validation split. WITHOUT ROWID, as `train_points` is. */
export const val_points = sqliteTable(
  "val_points",
  {
    run_key: integer().notNull(),
    step: integer().notNull(),
    loss: real(),
    perplexity: real(),
    bpb: real(),
  },
  (
    table,
  ) => [primaryKey({ columns: [table.run_key, table.step] }), index("val_points_best").on(table.run_key, table.loss)],
);

/** A deleted run whose points and events are still to be removed: written in the transaction that deletes the run. */
export const removals = sqliteTable("removals", {
  run_id: text().primaryKey(),
  /** Events of the run past this sequence stay: they tell of its deletion. */
  last_sequence: integer().notNull(),
});

/** A row means that the folder `checkpoints/<run_id>/<directory>` is whole. */
export const checkpoints = sqliteTable("checkpoints", {
  id: text().primaryKey(),
  run_id: text().notNull().references(() => runs.id, { onDelete: "cascade" }),
  step: integer().notNull(),
  directory: text().notNull(),
  bytes: integer().notNull(),
  files: text({ mode: "json" }).$type<CheckpointFile[]>().notNull(),
  train_loss: real(),
  val_loss: real(),
  /** A stop took it between two checkpoints of the run's own plan; the next one takes its place. */
  resume_only: integer({ mode: "boolean" }).notNull().default(false),
  created_at: text().notNull(),
}, (table) => [uniqueIndex("checkpoints_run_step").on(table.run_id, table.step)]);

/** Checkpoints that turned out damaged: the same step's next one has the same id. */
export const damaged_checkpoints = sqliteTable("damaged_checkpoints", {
  run_id: text().notNull().references(() => runs.id, { onDelete: "cascade" }),
  step: integer().notNull(),
  checkpoint_id: text().notNull(),
}, (table) => [primaryKey({ columns: [table.run_id, table.step] })]);

/**
 * Append-only: AUTOINCREMENT never gives a sequence twice, not even after a run's events were removed. `run_id` is null
 * for what belongs to no run, and no foreign key: the event of a run's deletion outlives the run.
 */
export const events = sqliteTable("events", {
  sequence: integer().primaryKey({ autoIncrement: true }),
  run_id: text(),
  type: text({ enum: EVENT_TYPES }).notNull(),
  timestamp: text().notNull(),
  data: text({ mode: "json" }).$type<Record<string, unknown>>().notNull(),
}, (table) => [
  index("events_run").on(table.run_id, table.sequence),
  index("events_type").on(table.type, table.sequence),
  index("events_run_type").on(table.run_id, table.type, table.sequence),
]);

export const hooks = sqliteTable("hooks", {
  id: text().primaryKey(),
  name: text().notNull().unique(),
  scheme: text({ enum: ["standard", "github"] }).notNull(),
  /** Sealed by `SecretBox`: the plain secret was shown once and is kept nowhere. */
  sealed_secret: text().notNull(),
  run: text({ mode: "json" }).$type<Record<string, unknown>>().notNull(),
  map: text({ mode: "json" }).$type<Record<string, string>>().notNull(),
  /** Globs of the events that start a run; null in hooks of before there was a choice: the scheme's default. */
  events: text({ mode: "json" }).$type<string[]>(),
  /** Globs of branches; null for any. */
  branches: text({ mode: "json" }).$type<string[]>(),
  created_at: text().notNull(),
});

/**
 * The run of each delivery. It is kept by its hook's name, which a hook made again has too: a delivery repeated then
 * must not start another run. Nor must one whose run was deleted, so `run_id` is no foreign key.
 */
export const hook_runs = sqliteTable("hook_runs", {
  hook_name: text().notNull(),
  scheme: text({ enum: ["standard", "github"] }).notNull(),
  delivery_id: text().notNull(),
  run_id: text().notNull(),
  created_at: text().notNull(),
}, (table) => [primaryKey({ columns: [table.hook_name, table.scheme, table.delivery_id] })]);

/** Secrets that `rotate` replaced and that stay valid for a while; the owner is a hook or a webhook. */
export const old_secrets = sqliteTable("old_secrets", {
  id: integer().primaryKey({ autoIncrement: true }),
  owner_id: text().notNull(),
  /** As it was in its owner's row. */
  sealed_secret: text().notNull(),
  expires_at: text().notNull(),
}, (table) => [index("old_secrets_owner").on(table.owner_id)]);

export const idempotency_keys = sqliteTable("idempotency_keys", {
  /** Method and path: one key may be used once on each. */
  scope: text().notNull(),
  key: text().notNull(),
  body_sha256: text().notNull(),
  status: integer().notNull(),
  /** JSON, sealed by `SecretBox`: an answer may hold a secret. */
  sealed_answer: text().notNull(),
  created_at: text().notNull(),
}, (table) => [
  primaryKey({ columns: [table.scope, table.key] }),
  index("idempotency_keys_age").on(table.created_at),
]);

/** Where events are delivered to. */
export const webhooks = sqliteTable("webhooks", {
  id: text().primaryKey(),
  url: text().notNull(),
  events: text({ mode: "json" }).$type<EventType[]>().notNull(),
  /** Sealed by `SecretBox`: the plain secret was shown once and is kept nowhere. */
  sealed_secret: text().notNull(),
  /** Why nothing is delivered any more; null where it is. */
  disabled_reason: text(),
  created_at: text().notNull(),
});

export const DELIVERY_STATUSES = ["pending", "succeeded", "failed"] as const;

/** One event for one endpoint, written in the event's own transaction; the id stays the same in every attempt. */
export const webhook_deliveries = sqliteTable("webhook_deliveries", {
  id: text().primaryKey(),
  webhook_id: text().notNull().references(() => webhooks.id, { onDelete: "cascade" }),
  type: text().notNull(),
  /** The body as it is signed and sent, the same bytes in every attempt. */
  body: text().notNull(),
  status: text({ enum: DELIVERY_STATUSES }).notNull(),
  attempts: integer().notNull().default(0),
  /** Null once nothing more will be tried. */
  next_attempt_at: text(),
  last_attempt_at: text(),
  response_status: integer(),
  /** Of the last attempt. */
  error: text(),
  created_at: text().notNull(),
}, (table) => [
  index("webhook_deliveries_due").on(table.status, table.next_attempt_at, table.id),
  index("webhook_deliveries_of_webhook_due").on(table.webhook_id, table.status, table.next_attempt_at, table.id),
  index("webhook_deliveries_age").on(table.status, table.created_at),
  index("webhook_deliveries_webhook").on(table.webhook_id, table.id),
]);
