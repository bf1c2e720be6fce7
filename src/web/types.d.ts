/** What the page reads from the API: the fields it uses, as the HTTP contract names them. */

export type RunStatus = "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** A metric over steps, strictly ascending; null where a loss was not finite (JSON has no NaN). */
export interface Series {
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
}

export interface Run {
  id: string;
  name: string;
  status: RunStatus;
  config: {
    tokenizer: { kind: string; vocab_size: number };
    model: { architecture: string; n_layer: number; n_head: number; n_embd: number };
    context_length: number;
    batch_size: number;
  };
  step: number;
  max_steps: number;
  parameters: number | null;
  /** The newest value of each metric, by name. */
  last_metrics: Record<string, number | null> | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  error: string | null;
}

interface Envelope {
  run_id: string;
  sequence: number;
  timestamp: string;
}

export interface Progress {
  step: number;
  max_steps: number;
  points: { step: number; loss: number | null; lr: number; grad_norm: number | null }[];
  tokens_per_second: number;
  eta_seconds: number | null;
}

export type SampledEvent = Envelope & { type: "run.sampled"; data: Sample };

export type RunEvent =
  | Envelope & { type: "run.started"; data: { step: number } }
  | Envelope & { type: "run.progress"; data: Progress }
  | Envelope & { type: "run.evaluated"; data: { step: number; val_loss: number | null } }
  | SampledEvent
  | Envelope & {
    type:
      | "run.queued"
      | "run.checkpointed"
      | "run.checkpoint_corrupt"
      | "run.paused"
      | "run.resumed"
      | "run.interrupted"
      | "run.succeeded"
      | "run.failed"
      | "run.cancelled";
    data: object;
  };

export interface Sample {
  step: number;
  prompt: string;
  text: string;
}

export interface Checkpoint {
  id: string;
  step: number;
  val_loss: number | null;
  files: { name: string; bytes: number }[];
  is_best: boolean;
}

export interface Device {
  name: string;
  software: boolean;
}

export interface Plan {
  parameters: number;
  bytes: { total: number };
  fits: boolean;
  estimated_seconds_per_step: number | null;
  notes: string[];
}

export interface Session {
  /** Null where the page called without one: the server has no tokens. */
  expires_at: string | null;
}

export interface Dataset {
  id: string;
  name: string;
}

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

export interface Metrics {
  series: Record<string, Series>;
}

/** RFC 9457, as the service answers errors. */
export interface Problem {
  title: string;
  status: number;
  detail?: string;
  errors?: { path: string; message: string }[];
}
