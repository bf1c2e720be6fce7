import { TrainingBatches } from "../src/data/batches.ts";
import { Random } from "../src/data/random.ts";
import { resolveRunConfig, type RunConfig, RunRequest, type RunRequestInput } from "../src/train/config.ts";

/** Tokens of the made-up corpus. */
export const CORPUS_TOKENS = 100_000;

/** The configurations that every report names, on random tokens: time does not depend on the text. */
export const WORKLOADS = {
  S: workload(65, { model: { n_layer: 4, n_head: 4, n_embd: 128 }, context_length: 64, batch_size: 12 }),
  M: workload(65, { model: { n_layer: 6, n_head: 6, n_embd: 384 }, context_length: 256, batch_size: 4 }),
  L: workload(50_257, { model: { n_layer: 12, n_head: 12, n_embd: 768 }, context_length: 64, batch_size: 4 }),
} satisfies Record<string, RunConfig>;

export type WorkloadName = keyof typeof WORKLOADS;

function workload(vocabulary: number, request: Omit<RunRequestInput, "dataset">): RunConfig {
  const corpus = { name: "random", distinctCharacters: vocabulary, tokens: CORPUS_TOKENS };
  return resolveRunConfig(RunRequest.parse({ dataset: "random", ...request }), corpus);
}

/** What a participant needs to know to make the same model: L layers, H heads, C channels, T, B, V. */
export type Shape = Record<"layers" | "heads" | "channels" | "context" | "batch" | "vocabulary", number>;

export function shapeOf(config: RunConfig): Shape {
  const { model, context_length, batch_size, tokenizer } = config;
  return {
    layers: model.n_layer,
    heads: model.n_head,
    channels: model.n_embd,
    context: context_length,
    batch: batch_size,
    vocabulary: tokenizer.vocab_size,
  };
}

export function describeShape({ layers, heads, channels, context, batch, vocabulary }: Shape): string {
  return `${layers} layers, ${heads} heads, ${channels} wide, T ${context}, B ${batch}, V ${vocabulary}`;
}

export function randomBatches(config: RunConfig): TrainingBatches {
  const random = new Random(config.seed, 0);
  const tokens = Uint32Array.from({ length: CORPUS_TOKENS }, () => random.below(config.tokenizer.vocab_size));
  const source = {
    length: CORPUS_TOKENS,
    read: (offset: number, count: number) => tokens.subarray(offset, offset + count),
  };
  return new TrainingBatches(source, {
    contextLength: config.context_length,
    batchSize: config.batch_size,
    seed: config.seed,
  });
}
