/**
 * The files beside `tokenizer.json` that say how to read it, for both halves: the trainer writes them, and the service
 * derives those that checkpoints of older versions lack.
 */

export const TOKENIZER_CONFIG = "tokenizer_config.json";

/**
 * `tokenizer_config.json`: without it, transformers takes the model's type for the tokenizer's, and GPT-2's own splits
 * text by its own rules: every character our vocabulary spells otherwise, spaces first, is lost in silence. There are
 * no special tokens: GPT-2's default for all of them (50256) is past our vocabularies.
 */
export function tokenizerConfig({ context_length }: { context_length: number }) {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: context_length,
    // "true" removes the space before punctuation from decoded text.
    clean_up_tokenization_spaces: false,
    bos_token: null,
    eos_token: null,
    unk_token: null,
    pad_token: null,
  };
}

/** The bytes of a JSON file, as every file of a checkpoint is written. */
export function jsonFile(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
}
