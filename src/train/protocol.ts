import type { RunConfig } from "./config.ts";

/**
 * The seam between the halves: plain data, posted to and from the Worker that owns the GPU.
 * One run at a time: a `start` is answered by reports that end with one `ended`, unless the Worker itself ends.
 */

/** What the adapter is, measured once when the Worker opens it. */
export interface DeviceInfo {
  /** The adapter's name, as its driver gives it. */
  name: string;
  vendor: string;
  architecture: string;
  driver: string;
  /** True for lavapipe, SwiftShader and their like: the CPU does the work. */
  software: boolean;
  features: string[];
  limits: Record<string, number>;
  /**
   * Bytes that runs may take: for a software adapter what the system and a container's limit leave. WebGPU does not say
   * a card's: then null.
   */
  memoryBytes: number | null;
  /** Matrix multiplication and copy, measured at start with Reverie's own kernels. */
  measured: { gflops: number; gigabytesPerSecond: number };
}

/** Where the trainer finds a run's text and keeps its files; every path is made by the service from ids alone. */
export interface RunFiles {
  /** The corpus: UTF-8 text, validated at upload. */
  text: string;
  /** SHA-256 of `text`, hex: names the cached token shards. */
  textSha256: string;
  /** Folder for token shards, shared by all runs. */
  tokens: string;
  /** Folder for what tuning found, shared by all runs. */
  tuning: string;
  /** Folder that receives one folder for each checkpoint. */
  checkpoints: string;
  /** Checkpoints to go on from, the newest first; the first that is whole is taken, and without one it starts at step 0. */
  resumeFrom: ResumePoint[];
}

/** A checkpoint as it was when it was written. */
export interface ResumePoint {
  /** Under `RunFiles.checkpoints`. */
  directory: string;
  files: CheckpointFile[];
}

/** How far one call may take a run that is driven from outside. */
export interface StepLimits {
  /** Updates. */
  steps: number;
  /** From the trainer's receipt of the command to the end of the checkpoint that makes them durable. */
  ms: number;
}

export type StopReason = "paused" | "cancelled" | "interrupted";

export type Command =
  /** With `limits` it ends, `yielded`, at the first that is reached; without, when the run is done. */
  | { type: "start"; run_id: string; config: RunConfig; files: RunFiles; limits: StepLimits | null }
  /** Ends the run at the next burst with a checkpoint: `ended` with that reason. */
  | { type: "stop"; run_id: string; reason: StopReason }
  /** Takes a checkpoint at the next burst and goes on. */
  | { type: "checkpoint"; run_id: string };

/** One training step: `loss` before its update, `grad_norm` before clipping. */
export interface StepPoint {
  step: number;
  loss: number;
  lr: number;
  grad_norm: number;
  tokens_per_second: number;
  step_ms: number;
  /** Null while the device is faster than it was measured to be. */
  mfu: number | null;
  epoch: number;
}

export interface CheckpointFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** What a run trains with, where it is not what is taken without a choice, and what finding that took. */
export interface TuningReport {
  candidates_timed: number;
  elapsed_ms: number;
  /** `speedup` over what is taken without a choice; null where the checkpoint chose. */
  choices: { kernel: string; shape: string; variant: string; speedup: number | null }[];
  /** Why what is remembered could not be read or written; null where all is well. */
  note: string | null;
}

export type Report =
  /** First message of a Worker: the adapter, or why there is none. */
  | { type: "device"; device: DeviceInfo }
  | { type: "no_device"; message: string }
  /** Every second, unless the Worker's thread is held up: who hears nothing for long knows that it hangs. */
  | { type: "alive" }
  /** A checkpoint that cannot be gone on from; the next older one is tried. */
  | { type: "checkpoint_corrupt"; run_id: string; directory: string; problem: string }
  /** The run's tensors are allocated and loaded; points after `step` that an earlier attempt left are void. */
  | {
    type: "started";
    run_id: string;
    step: number;
    parameters: number;
    epoch: number;
    tokens_seen: number;
    tuning: TuningReport;
  }
  | {
    type: "progress";
    run_id: string;
    /** Ascending, without gaps: continues where the last report stopped. */
    points: StepPoint[];
    tokens_seen: number;
    eta_seconds: number | null;
    /** Steps whose update was skipped because the gradient norm was not finite. */
    skipped_steps: number;
  }
  | { type: "evaluated"; run_id: string; step: number; val_loss: number; val_perplexity: number; val_bpb: number }
  /** `ignored`: the characters of the prompt that the vocabulary lacks, each once; "" if there are none. */
  | { type: "sampled"; run_id: string; step: number; prompt: string; text: string; ignored: string }
  /** The folder `directory` under `files.checkpoints` is whole and on disk. */
  | {
    type: "checkpointed";
    run_id: string;
    step: number;
    directory: string;
    files: CheckpointFile[];
    train_loss: number | null;
    val_loss: number | null;
    /** It belongs to no step of the run's own plan: a stop took it, to be resumed from. */
    resume_only: boolean;
    /** To read it from the GPU and bring it to the disk. */
    elapsed_ms: number;
  }
  /**
   * The run is over in this Worker and its GPU memory is free. `step`: updates made; null if a stop came before the run
   * had begun, so that it is where it was. `storage`: files could not be written or read for now, and the steps since
   * the last checkpoint are to be done again.
   */
  | { type: "ended"; run_id: string; step: number | null; reason: EndReason; error?: string };

/** With `failed` and `storage` comes an error. */
export type EndReason = "succeeded" | StopReason | "yielded" | "failed" | "storage";
