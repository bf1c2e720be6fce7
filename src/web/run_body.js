// @ts-check
import { readNumber } from "./numbers.js";
import { PRESETS, shapeName } from "./presets.js";

/** @import { Refusal, RunConfig } from "./types.d.ts" */

/** The form's numbers, by their place in a run's body. */
export const WHOLE_NUMBERS = /** @type {const} */ ([
  "model.n_layer",
  "model.n_head",
  "model.n_embd",
  "context_length",
  "max_steps",
]);
/** Bold enough for a small model to vary, and not so bold that it misspells; the service's own default is 0.8. */
const TEMPERATURE = 0.6;
export const DECIMALS = /** @type {const} */ (["optimizer.learning_rate"]);

/**
 * A run's body from what was typed, or what is wrong with it: ten evaluations, samples and checkpoints on the way. Pure.
 * @param {(name: string) => string} typed what stands in the field of this name
 * @param {string} decimal the sign that begins decimals in the reader's language
 * @param {RunConfig | null} base a run's configuration to start again from: what the form does not ask for stays
 * @returns {{ body: Record<string, unknown> & { max_steps: number } } | { errors: Refusal[] }}
 */
export function runBody(typed, decimal, base) {
  /** @type {Map<string, number>} */
  const numbers = new Map();
  /** @type {Refusal[]} */
  const errors = [];
  for (const path of [...WHOLE_NUMBERS, ...DECIMALS]) {
    const read = readNumber(typed(path), { whole: path !== "optimizer.learning_rate", decimal });
    if ("message" in read) errors.push({ path, message: read.message });
    else numbers.set(path, read.value);
  }
  if (errors.length > 0) return { errors };
  const number = (/** @type {string} */ path) => /** @type {number} */ (numbers.get(path));

  const max_steps = number("max_steps");
  const every = Math.max(1, Math.floor(max_steps / 10));
  const context_length = number("context_length");
  const sizes = {
    n_layer: number("model.n_layer"),
    n_head: number("model.n_head"),
    n_embd: number("model.n_embd"),
  };
  const shape = shapeName({ model: sizes, context_length });
  const learning_rate = number("optimizer.learning_rate");
  const name = typed("name").trim();
  return {
    body: {
      ...rest(base),
      ...(name === "" ? {} : { name }),
      dataset: typed("dataset"),
      model: { ...base?.model, ...(shape in PRESETS ? { preset: shape } : {}), ...sizes },
      context_length,
      max_steps,
      optimizer: { ...again(base, learning_rate, max_steps), learning_rate },
      eval: { ...base?.eval, every },
      sample: { temperature: TEMPERATURE, ...base?.sample, every, prompt: typed("sample.prompt") },
      checkpoint: { ...base?.checkpoint, every },
    },
  };
}

/** The part of a configuration that the form does not show. @param {RunConfig | null} base */
function rest(base) {
  if (base === null) return {};
  const { name: _, ...others } = /** @type {RunConfig & { name?: string }} */ (base);
  return others;
}

/**
 * The optimizer of `base`; what hangs on another rate or length follows it, as the service has it.
 * @param {RunConfig | null} base
 * @param {number} learningRate
 * @param {number} maxSteps
 */
function again(base, learningRate, maxSteps) {
  if (base === null) return {};
  const { min_learning_rate, warmup_steps, ...optimizer } = base.optimizer;
  return {
    ...optimizer,
    ...(min_learning_rate !== undefined && learningRate === optimizer.learning_rate ? { min_learning_rate } : {}),
    ...(warmup_steps !== undefined && maxSteps === base.max_steps ? { warmup_steps } : {}),
  };
}
