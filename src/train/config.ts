import { z } from "zod";
import { record, visibleText } from "../data/client_text.ts";
import { MAX_SAMPLE_TOKENS, MODEL_PRESETS, type ModelConfig } from "../model/config.ts";
import type { Workload } from "../model/describe.ts";

/**
 * A run's configuration: what a client may send (`RunRequest`), and what a run is (`RunConfig`), every default filled in.
 * Both halves of Reverie read it; it knows neither the GPU nor HTTP.
 */

const count = (max: number) => z.int().min(1).max(max);
/** JSON cannot carry the whole u64; kernels hash a u32. */
const seed = z.int().min(0).max(0xffff_ffff);

const presetSizes = (name: keyof (typeof MODEL_PRESETS)["nano"]) =>
  Object.entries(MODEL_PRESETS).map(([preset, sizes]) => `${sizes[name]} for ${preset}`).join(", ");

export const TokenizerRequest = z.strictObject({
  kind: z.enum(["char", "byte", "bpe", "gpt2"]).default("char").describe(
    "`char`: a token for each code point of the corpus; `byte`: 256 bytes; `bpe`: byte-level BPE trained on the corpus; " +
      "`gpt2`: GPT-2's own.",
  ),
  vocab_size: z.int().min(2).max(1_000_000).optional().describe(
    "Tokens in the vocabulary. Only `bpe` chooses it (default 4096); for the others it follows.",
  ),
});

export const ModelRequest = z.strictObject({
  preset: z.enum(["nano", "micro", "small", "gpt2"]).default("nano").describe("Gives the sizes that are left out."),
  architecture: z.enum(["gpt2", "llama"]).default("gpt2").describe("Family of the model."),
  n_layer: count(1024).optional().describe(`L: transformer blocks. Default: the preset's, ${presetSizes("n_layer")}.`),
  n_head: count(1024).optional().describe(
    `H: attention heads in a block; divides \`n_embd\`. Default: the preset's, ${presetSizes("n_head")}.`,
  ),
  n_embd: count(65_536).optional().describe(
    `C: channels of the residual stream. Default: the preset's, ${presetSizes("n_embd")}.`,
  ),
  dropout: z.number().min(0).lt(1).default(0).describe(
    "Probability of zeroing an element after the embedding, in the attention weights and before each residual.",
  ),
  bias: z.boolean().default(true).describe("Whether linear layers and LayerNorms have biases."),
});

export const OptimizerRequest = z.strictObject({
  kind: z.enum(["adamw", "sgd", "muon"]).default("adamw").describe(
    "`adamw` is PyTorch's: decoupled decay, of tensors with two or more dimensions only. `sgd` is w − η·∂L/∂w, with " +
      "momentum if asked.",
  ),
  learning_rate: z.number().min(0).max(1000).default(1e-3).describe("Learning rate at its highest, after warm-up."),
  min_learning_rate: z.number().min(0).max(1000).optional().describe(
    "Learning rate at `max_steps`. Default: a tenth of `learning_rate`.",
  ),
  schedule: z.enum(["cosine", "linear", "constant", "wsd"]).default("cosine").describe(
    "How the rate falls after warm-up: on a cosine, in a line, not at all, or in a line over the last fifth (`wsd`).",
  ),
  warmup_steps: z.int().min(0).max(1e9).optional().describe(
    "Steps over which the rate rises in a line from 0. Default: 100, at most a tenth of `max_steps`; 0 for `constant`.",
  ),
  weight_decay: z.number().min(0).max(100).default(0.1).describe("Decoupled weight decay. AdamW only."),
  beta1: z.number().min(0).lt(1).default(0.9).describe("Decay of the first moment. AdamW only."),
  beta2: z.number().min(0).lt(1).default(0.99).describe("Decay of the second moment. AdamW only."),
  epsilon: z.number().min(1e-37).max(1).default(1e-8).describe("Added to the denominator of the update. AdamW only."),
  momentum: z.number().min(0).lt(1).default(0).describe("Decay of the velocity; 0: none. SGD only."),
  grad_clip: z.number().min(0).nullable().default(1).describe(
    "Global L2 norm to which gradients are clipped; 0 or null: no clipping.",
  ),
});

/** The body of `POST /api/runs` and `POST /api/plan`. */
export const RunRequest = z.strictObject({
  name: visibleText().trim().min(1).max(100).optional().describe(
    "For people; need not be unique. Default: the dataset's.",
  ),
  dataset: z.string().min(1).max(200).describe("Id or name of the text to train on; `sample` always exists."),
  tokenizer: TokenizerRequest.prefault({}).describe("How text becomes tokens."),
  model: ModelRequest.prefault({}).describe("Shape of the model."),
  context_length: count(1_048_576).optional().describe(
    `T: tokens that the model sees at once. Default: the preset's, ${presetSizes("context_length")}.`,
  ),
  batch_size: count(65_536).default(12).describe("B: windows of `context_length` tokens in a micro-step."),
  gradient_accumulation_steps: count(4096).default(1).describe("Micro-steps whose gradients make one update."),
  max_steps: count(1e9).optional().describe(
    "Updates after which the run is done. Default: 2000, or what `epochs` says.",
  ),
  epochs: z.number().gt(0).max(1e6).nullable().default(null).describe(
    "Passes over the training windows after which the run is done, unless `max_steps` comes first; the last batch " +
      "may be smaller. Null: no limit.",
  ),
  optimizer: OptimizerRequest.prefault({}).describe("How gradients become updates."),
  precision: z.enum(["f32", "f16"]).default("f32").describe("Of activations and of the weights that kernels read."),
  recompute: z.enum(["none", "attention", "block"]).default("none").describe(
    "What the backward pass computes again to save memory: nothing, each block's attention half, or all of each block.",
  ),
  validation_fraction: z.number().min(0).lt(1).default(0.1).describe(
    "Share of the tokens, at the end of the text, that is held out for evaluation; 0: none.",
  ),
  eval: z.strictObject({
    every: z.int().min(0).max(1e9).default(250).describe(
      "Steps between two evaluations; 0: never, not even at the start and the end.",
    ),
    batches: count(1e9).nullable().default(20).describe(
      "Batches of `batch_size` windows in an evaluation; null: the whole validation split.",
    ),
  }).prefault({}).describe("Evaluation on the validation split."),
  checkpoint: z.strictObject({
    every: z.int().min(0).max(1e9).default(250).describe(
      "Steps between two checkpoints; step 0 and the end always get one. 0: no others but those of `on_best`.",
    ),
    every_seconds: z.number().min(1).max(1e6).nullable().default(null).describe(
      "Seconds since the last checkpoint after which another is taken; null: steps alone decide.",
    ),
    keep: count(10_000).default(3).describe("Newest checkpoints that stay; the best by validation loss stays too."),
    on_best: z.boolean().default(true).describe(
      "Whether another one is taken whenever an evaluation finds the lowest validation loss so far.",
    ),
  }).prefault({}).describe("When weights are saved."),
  sample: z.strictObject({
    every: z.int().min(0).max(1e9).default(250).describe("Steps between two samples of text; 0: never."),
    prompt: z.string().max(10_000).default("\n").describe(
      "Text that the model continues. Characters that the vocabulary lacks are left out, and named in the event's `ignored`.",
    ),
    max_tokens: count(MAX_SAMPLE_TOKENS).default(200).describe("Tokens to write."),
    temperature: z.number().min(0).max(100).default(0.8).describe(
      "0: always the likeliest token; 1: as the model says.",
    ),
    top_k: count(1_000_000).nullable().default(null).describe(
      "Draw among this many likeliest tokens; null: among all.",
    ),
  }).prefault({}).describe("Text that the model writes while it trains."),
  seed: seed.default(1337).describe("Of weights, batches, dropout and samples: the same seed gives the same run."),
  init_from: z.string().min(1).max(200).nullable().default(null).describe(
    "Checkpoint whose weights the run begins with; null: fresh ones.",
  ),
  drive: z.enum(["background", "invoke"]).default("background").describe(
    "`background` trains by itself; `invoke` only within calls of `POST /api/runs/{id}/steps`.",
  ),
  priority: z.int().min(-1000).max(1000).default(0).describe("Of the queued runs, the highest goes first."),
  tags: record(visibleText().min(1).max(64), z.string().max(256), 64).default({}).describe(
    "Labels of your own, to find runs by; at most 64; keys have at most 64 characters, values 256.",
  ),
});
export type RunRequest = z.output<typeof RunRequest>;
export type RunRequestInput = z.input<typeof RunRequest>;

/** `RunRequest` with every open question answered; stored with the run and sent to the trainer as it is. */
export const RunConfig = z.object({
  ...RunRequest.shape,
  tokenizer: TokenizerRequest.required().describe("How text becomes tokens."),
  model: ModelRequest.required().describe("Shape of the model."),
  optimizer: OptimizerRequest.required().describe("How gradients become updates."),
}).required({ name: true, context_length: true, max_steps: true });
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
  /** A value for `path` with which this reason would not be there. */
  suggestion?: number | string;
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
    found.push({ path: "context_length", ...shortCorpus(train, config.context_length) });
  } else if (config.validation_fraction > 0 && validation < 2) {
    found.push({
      path: "validation_fraction",
      message: `the validation split would have ${validation} tokens and needs at least 2; raise it, or set it to 0`,
    });
  }
  return found;
}

function shortCorpus(train: number, contextLength: number): Omit<Refusal, "path"> {
  const message = `the training split has ${train} tokens; a window of context_length ${contextLength} ` +
    `needs ${contextLength + 1}`;
  if (train < 2) return { message: `${message}: take a longer text` };
  const suggestion = 2 ** Math.floor(Math.log2(train - 1));
  return { message: `${message}: use context_length ${suggestion}, or a longer text`, suggestion };
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
