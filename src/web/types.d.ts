/** What the page reads from the API: the fields it uses, as the HTTP contract names them. */

export type RunStatus = "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** A metric over steps, strictly ascending; null where a loss was not finite (JSON has no NaN). */
export interface Series {
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
}

/** A run's configuration with every default filled in: the fields that the page shows. A new run may repeat all of it. */
export interface RunConfig {
  tokenizer: { kind: string; vocab_size: number };
  model: { architecture: string; n_layer: number; n_head: number; n_embd: number };
  context_length: number;
  batch_size: number;
  max_steps: number;
  optimizer: { kind: string; learning_rate: number; min_learning_rate?: number; warmup_steps?: number };
  eval: { every: number };
  sample: { every: number; prompt: string };
  checkpoint: { every: number };
}

export interface Run {
  id: string;
  name: string;
  status: RunStatus;
  dataset_id: string | null;
  config: RunConfig;
  step: number;
  max_steps: number;
  parameters: number | null;
  /** Updates left out because the gradient was not finite. */
  skipped_steps: number;
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
  skipped_steps?: number;
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
      | "run.cancelled"
      | "run.updated"
      | "run.deleted";
    data: object;
  }
  | Omit<Envelope, "run_id"> & { run_id: string | null; type: "dataset.created" | "dataset.deleted"; data: object };

export interface Sample {
  step: number;
  prompt: string;
  text: string;
  /** Characters of the prompt that the vocabulary lacks. */
  ignored?: string;
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
  /** For the whole run. */
  estimated_seconds?: number | null;
  /** Why the service would refuse the run. */
  problems?: { path: string; message: string; suggestion?: unknown }[];
  /** Drawbacks that do not forbid the run. */
  warnings?: { path: string; message: string; suggestion?: unknown }[];
  notes: string[];
}

export interface Session {
  /** Null where the page called without one: the server has no tokens. */
  expires_at: string | null;
}

export interface Dataset {
  id: string;
  name: string;
  /** All that find it. */
  names?: string[];
}

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

/** A metric in buckets of equal width, as `?buckets=` gives it: those that have points. */
export interface BucketSeries {
  /** The first step of each. */
  readonly steps: readonly number[];
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** Finite values of each. */
  readonly count: readonly number[];
  /** The first step of the first bucket. */
  readonly from_step: number;
  readonly bucket_steps: number;
}

/** The stored losses of a run. */
export interface Losses {
  /** The training loss as far as buckets are full. */
  train: BucketSeries | undefined;
  /** Its points after that. */
  tail: Series | undefined;
  validation: Series | undefined;
}

/** Why one field of a body was refused; the path is "" for the body as a whole. */
export interface Refusal {
  path: string;
  message: string;
}

/** RFC 9457, as the service answers errors. */
export interface Problem {
  title: string;
  status: number;
  detail?: string;
  errors?: Refusal[];
}
