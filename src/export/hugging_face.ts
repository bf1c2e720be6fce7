import { LAYERNORM_EPSILON, type ModelConfig } from "../model/config.ts";

/** The files beside the weights that make a folder Hugging Face `transformers` loads as `GPT2LMHeadModel`. */

export function huggingFaceConfig(config: ModelConfig) {
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    activation_function: "gelu_new",
    vocab_size: config.vocab_size,
    n_positions: config.context_length,
    n_ctx: config.context_length,
    n_embd: config.n_embd,
    n_layer: config.n_layer,
    n_head: config.n_head,
    n_inner: null,
    layer_norm_epsilon: LAYERNORM_EPSILON,
    initializer_range: 0.02,
    embd_pdrop: config.dropout,
    attn_pdrop: config.dropout,
    resid_pdrop: config.dropout,
    tie_word_embeddings: true,
    // A base model has no token that begins or ends a text, and GPT-2's default (50256) is past this vocabulary.
    bos_token_id: null,
    eos_token_id: null,
    torch_dtype: "float32",
    use_cache: true,
  };
}

export function generationConfig(config: ModelConfig, sample: { temperature: number; top_k: number | null }) {
  return {
    do_sample: sample.temperature > 0,
    ...(sample.temperature > 0 ? { temperature: sample.temperature, top_k: sample.top_k ?? 0 } : {}),
    max_length: config.context_length,
    bos_token_id: null,
    eos_token_id: null,
  };
}
