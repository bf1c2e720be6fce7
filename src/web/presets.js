// @ts-check

/** The shapes behind the service's preset names, for the form to show; a test holds them equal to the service's own. */
export const PRESETS = {
  nano: { n_layer: 4, n_head: 4, n_embd: 128, context_length: 64 },
  micro: { n_layer: 6, n_head: 6, n_embd: 384, context_length: 256 },
  small: { n_layer: 8, n_head: 8, n_embd: 512, context_length: 256 },
  gpt2: { n_layer: 12, n_head: 12, n_embd: 768, context_length: 1024 },
};
