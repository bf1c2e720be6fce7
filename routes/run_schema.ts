import { z } from "@hono/zod-openapi";
import { RUN_STATUSES } from "#src/db/schema.ts";
import type { RunRow } from "#src/runs/run_store.ts";
import { RunConfig } from "#src/train/config.ts";
import { resolved } from "./resolved.ts";

export const RunStatus = z.enum(RUN_STATUSES);

const Metrics = z.record(z.string(), z.number().nullable()).nullable();

export const Run = z.object({
  id: z.string().describe("`run_` and a ULID."),
  name: z.string().describe("For people; need not be unique."),
  status: RunStatus.describe(
    "`queued`, `running`, `paused` or the end: `succeeded`, `failed`, `cancelled`. A crash or a restart puts a running " +
      "run back to `queued`, and it resumes from its last checkpoint.",
  ),
  dataset_id: z.string().nullable().describe("The text it trains on; null once the dataset was deleted."),
  config: resolved(RunConfig).openapi("RunConfig", {
    description: "A run's body as it was resolved: every default filled in.",
  }),
  tags: z.record(z.string(), z.string()).describe("Labels of your own, to find runs by."),
  priority: z.int().describe("Of the queued runs, the highest goes first."),
  step: z.int().describe("Updates made."),
  max_steps: z.int().describe("Updates after which the run is done."),
  epoch: z.number().describe("Passes over the training tokens made so far."),
  tokens_seen: z.int().describe("Tokens trained on so far, repetitions counted."),
  skipped_steps: z.int().describe("Updates skipped because the gradient was not finite."),
  parameters: z.int().describe("Trained numbers in the model."),
  best_val_loss: z.number().nullable().describe(
    "Lowest validation loss so far, in nats per token; null before the first.",
  ),
  last_metrics: Metrics.describe("The newest value of each metric, by name; null before the first step."),
  device: z.string().nullable().describe("Name of the GPU that trained it last; null before it started."),
  created_at: z.iso.datetime().describe("When it was queued."),
  started_at: z.iso.datetime().nullable().describe("When it first trained; null before that."),
  finished_at: z.iso.datetime().nullable().describe("When it ended; null before that."),
  error: z.string().nullable().describe("Why it failed, or waits for storage; null if nothing is wrong."),
  waits_for_storage: z.boolean().describe(
    "Paused because the data folder could not be written; it resumes by itself once that works again.",
  ),
  attempts: z.int().describe("How often a crash or a restart put it back into the queue."),
}).openapi("Run", { description: "A training run." });

export const RunSummary = Run.omit({ config: true }).openapi("RunSummary", {
  description: "A training run without its configuration.",
});

/** A row as the API shows it: name, tags and priority may have been changed since the configuration was made. */
export function showRun(row: RunRow): z.output<typeof Run> {
  const { stalled_attempts: _1, process_deaths: _2, death_counts: _3, stop_requested: _4, ...shown } = row;
  const { lease_owner: _5, lease_expires_at: _6, ...run } = shown;
  return { ...run, config: { ...run.config, name: run.name, tags: run.tags, priority: run.priority } };
}

export function summarizeRun(row: RunRow): z.output<typeof RunSummary> {
  const { config: _, ...summary } = showRun(row);
  return summary;
}
