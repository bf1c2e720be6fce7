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
  step: z.int().openapi({ description: "Updates made." }),
  max_steps: z.int(),
  epoch: z.number(),
  tokens_seen: z.int(),
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
  attempts: z.int().openapi({ description: "How often a crash or a restart put it back into the queue." }),
}).openapi("Run");

/** A row as the API shows it: name and tags may have been changed since the configuration was made. */
export function showRun({ stalled_attempts: _, stop_requested: __, ...run }: RunRow): z.output<typeof Run> {
  return { ...run, config: { ...run.config, name: run.name, tags: run.tags } };
}
