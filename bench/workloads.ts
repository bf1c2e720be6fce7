import { resolveRunConfig, type RunConfig, RunRequest, type RunRequestInput } from "../src/train/config.ts";

/** Tokens of the made-up corpus. */
export const CORPUS_TOKENS = 100_000;

/** The configurations that every report names, on random tokens: time does not depend on the text. */
export const WORKLOADS = {
  S: workload(65, { model: { n_layer: 4, n_head: 4, n_embd: 128 }, context_length: 64, batch_size: 12 }),
  M: workload(65, { model: { n_layer: 6, n_head: 6, n_embd: 384 }, context_length: 256, batch_size: 4 }),
  L: workload(50_257, { model: { n_layer: 12, n_head: 12, n_embd: 768 }, context_length: 64, batch_size: 4 }),
} satisfies Record<string, RunConfig>;

function workload(vocabulary: number, request: Omit<RunRequestInput, "dataset">): RunConfig {
  const corpus = { name: "random", distinctCharacters: vocabulary, tokens: CORPUS_TOKENS };
  return resolveRunConfig(RunRequest.parse({ dataset: "random", ...request }), corpus);
}
