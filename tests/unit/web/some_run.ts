import type { Run } from "#src/web/types.d.ts";

/** A queued run as the API shows it, with the fields that a test cares about. */
export function someRun(fields: Partial<Run> = {}): Run {
  return {
    id: "run_1",
    name: "first",
    status: "queued",
    dataset_id: "ds_1",
    config: {
      tokenizer: { kind: "char", vocab_size: 65 },
      model: { architecture: "gpt2", n_layer: 2, n_head: 2, n_embd: 32 },
      context_length: 16,
      batch_size: 4,
      max_steps: 10,
      optimizer: { kind: "adamw", learning_rate: 1e-2 },
      eval: { every: 2 },
      sample: { every: 2, prompt: "\n" },
      checkpoint: { every: 2 },
    },
    step: 0,
    max_steps: 10,
    parameters: 1000,
    skipped_steps: 0,
    last_metrics: null,
    created_at: "2026-01-01T00:00:00.000Z",
    started_at: null,
    finished_at: null,
    error: null,
    ...fields,
  };
}
