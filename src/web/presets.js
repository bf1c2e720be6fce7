// @ts-check

/** The shapes that the service has names for; a test holds them equal to its own. */
export const PRESETS = {
  nano: { n_layer: 4, n_head: 4, n_embd: 128, context_length: 64 },
  micro: { n_layer: 6, n_head: 6, n_embd: 384, context_length: 256 },
  small: { n_layer: 8, n_head: 8, n_embd: 512, context_length: 256 },
  gpt2: { n_layer: 12, n_head: 12, n_embd: 768, context_length: 1024 },
};

/** What the form offers. `tiny` comes first, and is the form's own: a software adapter trains it in about a minute. */
export const SHAPES = { tiny: { n_layer: 2, n_head: 2, n_embd: 64, context_length: 64 }, ...PRESETS };
