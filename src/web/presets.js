// @ts-check

/** @import { RunConfig } from "./types.d.ts" */

/** The shapes that the service has names for; a test holds them equal to its own. */
export const PRESETS = {
  nano: { n_layer: 4, n_head: 4, n_embd: 128, context_length: 64 },
  micro: { n_layer: 6, n_head: 6, n_embd: 384, context_length: 256 },
  small: { n_layer: 8, n_head: 8, n_embd: 512, context_length: 256 },
  gpt2: { n_layer: 12, n_head: 12, n_embd: 768, context_length: 1024 },
};

/** What the form offers. `tiny` comes first, and is the form's own: a software adapter trains it in about a minute. */
export const SHAPES = { tiny: { n_layer: 2, n_head: 2, n_embd: 64, context_length: 64 }, ...PRESETS };

/**
 * The learning rate that goes with a shape. With 5e-3 `tiny` writes words and names after 2,000 steps (docs/log.md), at
 * which larger ones would go astray.
 * @param {string} shape
 */
export const learningRateOf = (shape) => shape === "tiny" ? "5e-3" : "1e-3";

/** The name of a shape that has none. */
export const CUSTOM = "custom";

/**
 * The name of a run's shape, by its sizes: `model.preset` says only what the others were filled in from.
 * @param {Pick<RunConfig, "context_length"> & { model: { n_layer: number, n_head: number, n_embd: number } }} config
 * @returns {string} `custom` if no name fits
 */
export function shapeName({ model, context_length }) {
  const found = Object.entries(SHAPES).find(([, shape]) =>
    shape.n_layer === model.n_layer && shape.n_head === model.n_head && shape.n_embd === model.n_embd &&
    shape.context_length === context_length
  );
  return found?.[0] ?? CUSTOM;
}
