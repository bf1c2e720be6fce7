import { z } from "zod";
import { MAX_SAMPLE_TOKENS, MODEL_PRESETS, type ModelConfig } from "../model/config.ts";
import type { Workload } from "../model/describe.ts";

/**
 * A run's configuration: what a client may send (`RunRequest`), and what a run is (`RunConfig`), every default filled in.
 * Both halves of Reverie read it; it knows neither the GPU nor HTTP.
 */

const count = (max: number) => z.int().min(1).max(max);
/** JSON cannot carry the whole u64; kernels hash a u32. */
const seed = z.int().min(0).max(0xffff_ffff);

export const TokenizerRequest = z.strictObject({
  kind: z.enum(["char", "byte", "bpe", "gpt2"]).default("char"),
  vocab_size: z.int().min(2).max(1_000_000).optional().describe("Only `bpe` chooses its size; elsewhere it follows."),
});

export const ModelRequest = z.strictObject({
  preset: z.enum(["nano", "micro", "small", "gpt2"]).default("nano"),
  architecture: z.enum(["gpt2", "llama"]).default("gpt2"),
  n_layer: count(1024).optional(),
  n_head: count(1024).optional(),
  n_embd: count(65_536).optional(),
  dropout: z.number().min(0).lt(1).default(0),
  bias: z.boolean().default(true),
});

export const OptimizerRequest = z.strictObject({
  kind: z.enum(["adamw", "sgd", "muon"]).default("adamw"),
  learning_rate: z.number().min(0).max(1000).default(1e-3),
  min_learning_rate: z.number().min(0).max(1000).optional().describe("Default: a tenth of `learning_rate`."),
  schedule: z.enum(["cosine", "linear", "constant", "wsd"]).default("cosine"),
  warmup_steps: z.int().min(0).max(1e9).optional().describe(
    "Default: 100, at most a tenth of `max_steps`; 0 for `constant`.",
  ),
  weight_decay: z.number().min(0).max(100).default(0.1).describe("AdamW only."),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.99),
  epsilon: z.number().min(1e-37).max(1).default(1e-8),
  momentum: z.number().min(0).lt(1).default(0).describe("SGD only."),
  grad_clip: z.number().min(0).nullable().default(1).describe("Global L2 norm; 0 or null: no clipping."),
});

/** The body of `POST /api/runs` and `POST /api/plan`. */
export const RunRequest = z.strictObject({
  name: z.string().trim().min(1).max(100).optional(),
  dataset: z.string().min(1).max(200),
  tokenizer: TokenizerRequest.prefault({}),
  model: ModelRequest.prefault({}),
  context_length: count(1_048_576).optional().describe("T. Default: the preset's."),
  batch_size: count(65_536).default(12).describe("B: windows in a micro-step."),
  gradient_accumulation_steps: count(4096).default(1),
  max_steps: count(1e9).optional().describe("Default: 2000, or what `epochs` says."),
  epochs: z.number().gt(0).max(1e6).nullable().default(null).describe(
    "Passes over the training windows, at the end of which the run ends; its last batch may be smaller.",
  ),
  optimizer: OptimizerRequest.prefault({}),
  precision: z.enum(["f32", "f16"]).default("f32").describe("Of activations and of the weights that kernels read."),
  recompute: z.enum(["none", "attention", "block"]).default("none").describe(
    "What the backward pass computes again to save memory: nothing, each block's attention half, or all of each block.",
  ),
  validation_fraction: z.number().min(0).lt(1).default(0.1),
  eval: z.strictObject({
    every: z.int().min(0).max(1e9).default(250).describe("0: never, not even at the start and the end."),
    batches: count(1e9).nullable().default(20).describe("Null: the whole validation split."),
  }).prefault({}),
  checkpoint: z.strictObject({
    every: z.int().min(0).max(1e9).default(250).describe("0: at step 0 and at the end alone."),
    every_seconds: z.number().min(1).max(1e6).nullable().default(null).describe(
      "Another one whenever this long has passed since the last.",
    ),
    keep: count(10_000).default(3).describe("The newest that stay. The best by validation loss stays too."),
    on_best: z.boolean().default(true).describe(
      "Another one whenever an evaluation finds the lowest validation loss so far.",
    ),
  }).prefault({}),
  sample: z.strictObject({
    every: z.int().min(0).max(1e9).default(250).describe("0: never."),
    prompt: z.string().max(10_000).default("\n"),
    max_tokens: count(MAX_SAMPLE_TOKENS).default(200),
    temperature: z.number().min(0).max(100).default(0.8),
    top_k: count(1_000_000).nullable().default(null),
  }).prefault({}),
  seed: seed.default(1337),
  init_from: z.string().min(1).max(200).nullable().default(null),
  drive: z.enum(["background", "invoke"]).default("background").describe(
    "`background` trains by itself; `invoke` only within calls of `POST /api/runs/{id}/steps`.",
  ),
  priority: z.int().min(-1000).max(1000).default(0).describe("Of the queued runs, the highest goes first."),
  tags: z.record(z.string().min(1).max(64), z.string().max(256)).default({}),
});
export type RunRequest = z.output<typeof RunRequest>;
export type RunRequestInput = z.input<typeof RunRequest>;

/** `RunRequest` with every open question answered; stored with the run and sent to the trainer as it is. */
export const RunConfig = RunRequest.omit({ init_from: true }).extend({
  name: z.string(),
  tokenizer: z.object({ kind: z.enum(["char", "byte", "bpe", "gpt2"]), vocab_size: z.int() }),
  model: z.object({
    preset: ModelRequest.shape.preset,
    architecture: ModelRequest.shape.architecture,
    n_layer: z.int(),
    n_head: z.int(),
    n_embd: z.int(),
    dropout: z.number(),
    bias: z.boolean(),
  }),
  context_length: z.int(),
  max_steps: z.int(),
  optimizer: OptimizerRequest.extend({ min_learning_rate: z.number(), warmup_steps: z.int() }),
  init_from: z.string().nullable(),
});
export type RunConfig = z.output<typeof RunConfig>;

/** What the defaults need to know of the corpus. */
export interface CorpusFacts {
  name: string;
  /** Distinct code points: the `char` vocabulary. */
  distinctCharacters: number;
  /** Tokens of the whole corpus under the request's tokenizer. */
  tokens: number;
}

/** A reason a well-formed request cannot be run: becomes a 422 with `errors`. */
export interface Refusal {
  path: string;
  message: string;
}

/** First `n - validationTokens` tokens train, the tail validates. */
export function splitTokens(tokens: number, validationFraction: number): { train: number; validation: number } {
  const validation = Math.floor(tokens * validationFraction);
  return { train: tokens - validation, validation };
}

/** Windows of T targets in `tokens` tokens: each token but the first is a target once; the last window may be short. */
export function windowsIn(tokens: number, contextLength: number): number {
  return Math.max(0, Math.ceil((tokens - 1) / contextLength));
}

/** Windows in `epochs` passes over `windowCount`. A fraction of a window is a whole one. */
function windowsOfEpochs(epochs: number, windowCount: number): number {
  const windows = epochs * windowCount;
  const nearest = Math.round(windows);
  // 1.1 · 10 is 11.000000000000002.
  const isWhole = Math.abs(windows - nearest) <= windows * Number.EPSILON;
  return Math.max(1, isWhole ? nearest : Math.ceil(windows));
}

/**
 * Windows that a run trains on from its start to its end. All batches are whole, but `epochs` may end within the last
 * one. `windowCount` is the number of windows in one epoch.
 */
export function windowsToTrain(
  config: Pick<RunConfig, "epochs" | "max_steps" | "batch_size" | "gradient_accumulation_steps">,
  windowCount: number,
): number {
  const windowsPerStep = config.batch_size * config.gradient_accumulation_steps;
  const whole = config.max_steps * windowsPerStep;
  if (config.epochs === null) return whole;
  const asked = windowsOfEpochs(config.epochs, windowCount);
  // A run that an older version planned may have a step too many: its last step must not be empty.
  return asked > whole - windowsPerStep ? Math.min(whole, asked) : whole;
}

/** Fills in every default that depends on another field or on the corpus. Pure. */
export function resolveRunConfig(request: RunRequest, corpus: CorpusFacts): RunConfig {
  const preset = MODEL_PRESETS[request.model.preset];
  const contextLength = request.context_length ?? preset.context_length;
  const { train } = splitTokens(corpus.tokens, request.validation_fraction);
  const windowsPerStep = request.batch_size * request.gradient_accumulation_steps;
  const stepsOfEpochs = request.epochs === null
    ? null
    : Math.max(1, Math.ceil(windowsOfEpochs(request.epochs, windowsIn(train, contextLength)) / windowsPerStep));
  const maxSteps = Math.min(request.max_steps ?? stepsOfEpochs ?? 2000, stepsOfEpochs ?? Infinity);
  const optimizer = request.optimizer;
  return {
    ...request,
    name: request.name ?? corpus.name,
    tokenizer: { kind: request.tokenizer.kind, vocab_size: vocabularySize(request, corpus) },
    model: {
      ...request.model,
      n_layer: request.model.n_layer ?? preset.n_layer,
      n_head: request.model.n_head ?? preset.n_head,
      n_embd: request.model.n_embd ?? preset.n_embd,
    },
    context_length: contextLength,
    max_steps: maxSteps,
    optimizer: {
      ...optimizer,
      min_learning_rate: optimizer.min_learning_rate ?? optimizer.learning_rate / 10,
      warmup_steps: optimizer.warmup_steps ??
        (optimizer.schedule === "constant" ? 0 : Math.min(100, Math.floor(maxSteps / 10))),
      weight_decay: optimizer.kind === "sgd" ? 0 : optimizer.weight_decay,
    },
  };
}

function vocabularySize(request: RunRequest, corpus: CorpusFacts): number {
  switch (request.tokenizer.kind) {
    case "char":
      return corpus.distinctCharacters;
    case "byte":
      return 256;
    case "bpe":
      return request.tokenizer.vocab_size ?? 4096;
    case "gpt2":
      return 50_257;
  }
}

/** Contradictions within a configuration, whatever the device: they make a plan impossible too. */
export function contradictions(config: RunConfig): Refusal[] {
  const refusals: Refusal[] = [];
  const { n_embd, n_head } = config.model;
  if (n_embd % n_head !== 0) {
    refusals.push({ path: "model.n_head", message: `n_embd (${n_embd}) must be a multiple of n_head (${n_head})` });
  }
  if (config.optimizer.min_learning_rate > config.optimizer.learning_rate) {
    refusals.push({
      path: "optimizer.min_learning_rate",
      message:
        `min_learning_rate (${config.optimizer.min_learning_rate}) is above learning_rate (${config.optimizer.learning_rate})`,
    });
  }
  if (config.optimizer.warmup_steps > config.max_steps) {
    refusals.push({
      path: "optimizer.warmup_steps",
      message: `warmup_steps (${config.optimizer.warmup_steps}) is above max_steps (${config.max_steps})`,
    });
  }
  return refusals;
}

/** What this version of the trainer cannot run yet, and corpora too short for a window. */
export function refusals(config: RunConfig, corpus: CorpusFacts): Refusal[] {
  const found = contradictions(config);
  const unavailable = (path: string, value: string, instead: string) =>
    found.push({ path, message: `"${value}" is not available in this version; use ${instead}` });
  if (config.model.architecture !== "gpt2") unavailable("model.architecture", config.model.architecture, '"gpt2"');
  if (config.tokenizer.kind === "bpe" || config.tokenizer.kind === "gpt2") {
    unavailable("tokenizer.kind", config.tokenizer.kind, '"char" or "byte"');
  }
  if (config.optimizer.kind === "muon") unavailable("optimizer.kind", "muon", '"adamw" or "sgd"');
  if (config.init_from !== null) unavailable("init_from", config.init_from, "null");
  const { train, validation } = splitTokens(corpus.tokens, config.validation_fraction);
  const needed = config.context_length + 1;
  if (train < needed) {
    found.push({
      path: "context_length",
      message:
        `the training split has ${train} tokens; a window of context_length ${config.context_length} needs ${needed}`,
    });
  } else if (config.validation_fraction > 0 && validation < 2) {
    found.push({
      path: "validation_fraction",
      message: `the validation split would have ${validation} tokens and needs at least 2; raise it, or set it to 0`,
    });
  }
  return found;
}

/** What a run asks of a device. */
export function workloadOf(config: RunConfig): Workload {
  return {
    model: modelConfig(config),
    batchSize: config.batch_size,
    gradientAccumulationSteps: config.gradient_accumulation_steps,
    optimizer: config.optimizer.kind,
    momentum: config.optimizer.momentum,
    precision: config.precision,
    recompute: config.recompute,
  };
}

/** The model's part of a run's configuration. */
export function modelConfig(config: RunConfig): ModelConfig {
  return {
    architecture: config.model.architecture,
    n_layer: config.model.n_layer,
    n_head: config.model.n_head,
    n_embd: config.model.n_embd,
    vocab_size: config.tokenizer.vocab_size,
    context_length: config.context_length,
    dropout: config.model.dropout,
    bias: config.model.bias,
  };
}
