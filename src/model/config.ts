/** The shape of a model: plain data, shared by both halves. Dimension letters as everywhere: L, H, C, D = C / H, V, T. */
export interface ModelConfig {
  architecture: "gpt2" | "llama";
  /** L: transformer blocks. */
  n_layer: number;
  /** H: attention heads; divides `n_embd`. */
  n_head: number;
  /** C: channels. */
  n_embd: number;
  /** V: rows of the token embedding. */
  vocab_size: number;
  /** T: positions the model knows, and tokens in a training window. */
  context_length: number;
  /** Probability of zeroing an element after the embedding, in the attention weights and before each residual. */
  dropout: number;
  /** Whether linear layers and LayerNorms have biases. */
  bias: boolean;
}

export const MODEL_PRESETS = {
  nano: { n_layer: 4, n_head: 4, n_embd: 128, context_length: 64 },
  micro: { n_layer: 6, n_head: 6, n_embd: 384, context_length: 256 },
  small: { n_layer: 8, n_head: 8, n_embd: 512, context_length: 256 },
  gpt2: { n_layer: 12, n_head: 12, n_embd: 768, context_length: 1024 },
} as const;

/** LayerNorm's ε, PyTorch's and GPT-2's. */
export const LAYERNORM_EPSILON = 1e-5;

/** Most tokens that a sample of text may have. */
export const MAX_SAMPLE_TOKENS = 100_000;
