import { z } from "@hono/zod-openapi";
import { RUN_STATUSES } from "#src/db/schema.ts";
import type { RunRow } from "#src/runs/run_store.ts";
import { RunConfig } from "#src/train/config.ts";

export const RunStatus = z.enum(RUN_STATUSES);

export const Run = z.object({
  id: z.string(),
  name: z.string(),
  status: RunStatus,
  dataset_id: z.string().nullable().openapi({ description: "Null once the dataset was deleted." }),
  config: RunConfig.openapi({ description: "The body as it was resolved: every default filled in." }),
  tags: z.record(z.string(), z.string()),
  priority: z.int(),
  step: z.int().openapi({ description: "Updates made." }),
  max_steps: z.int(),
  epoch: z.number(),
  tokens_seen: z.int(),
  skipped_steps: z.int().openapi({ description: "Updates skipped because the gradient was not finite." }),
  parameters: z.int(),
  best_val_loss: z.number().nullable(),
  last_metrics: z.record(z.string(), z.number().nullable()).nullable().openapi({
    description: "The newest value of each metric, by name.",
  }),
  device: z.string().nullable(),
  created_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  error: z.string().nullable(),
  waits_for_storage: z.boolean().openapi({
    description: "Paused because the data folder could not be written; it goes on by itself once that works again.",
  }),
  attempts: z.int().openapi({ description: "How often a crash or a restart put it back into the queue." }),
}).openapi("Run");

/** A row as the API shows it: name, tags and priority may have been changed since the configuration was made. */
export function showRun(row: RunRow): z.output<typeof Run> {
  const { stalled_attempts: _, stop_requested: __, lease_owner: ___, lease_expires_at: ____, ...run } = row;
  return { ...run, config: { ...run.config, name: run.name, tags: run.tags, priority: run.priority } };
}
