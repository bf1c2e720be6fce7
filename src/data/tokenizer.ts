import { z } from "zod";
import { BYTE_TO_CHARACTER } from "./byte_alphabet.ts";

/** A character of a text that no token stands for. */
export class UnknownCharacterError extends Error {
  constructor(readonly character: string, readonly codePoint: number) {
    const name = `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
    super(`the tokenizer has no token for ${JSON.stringify(character)} (${name}): its corpus does not contain it`);
    this.name = "UnknownCharacterError";
  }
}

/** Text to token ids and back. Ids are 0…vocabSize − 1. */
export interface Tokenizer {
  readonly kind: "char" | "byte";
  readonly vocabSize: number;
  /** The ids of `text`; throws `UnknownCharacterError` where `char` has no token for a character. */
  encode(text: string): Uint32Array<ArrayBuffer>;
  /**
   * As `encode`, but leaves out the characters it has no token for: for prompts, which come from elsewhere than the
   * corpus. May be empty. Hugging Face's loaders do the same, `unk_token` being null.
   */
  encodeKnown(text: string): Uint32Array<ArrayBuffer>;
  /** The characters of `text` that it has no token for, each once, in the order they come: what `encodeKnown` leaves out. */
  unknownIn(text: string): string;
  /** The text of `ids`; `byte` writes U+FFFD for what is not UTF-8. Throws `RangeError` for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): string;
  /** UTF-8 bytes of the token `id`: what bits per byte divides by. */
  tokenBytes(id: number): number;
  /** The contents of Hugging Face's `tokenizer.json`. */
  toJSON(): TokenizerJson;
}

/** A byte-pair encoding without merges: what `tokenizer.json` makes of either kind. Every field its Rust reader asks for. */
const TokenizerJson = z.object({
  version: z.literal("1.0"),
  truncation: z.null(),
  padding: z.null(),
  added_tokens: z.array(z.never()),
  normalizer: z.null(),
  pre_tokenizer: z.object({
    type: z.literal("ByteLevel"),
    add_prefix_space: z.literal(false),
    trim_offsets: z.literal(false),
    use_regex: z.literal(false),
  }).nullable(),
  post_processor: z.null(),
  decoder: z.union([
    z.object({ type: z.literal("Fuse") }),
    z.object({
      type: z.literal("ByteLevel"),
      add_prefix_space: z.boolean(),
      trim_offsets: z.boolean(),
      use_regex: z.boolean(),
    }),
  ]),
  model: z.object({
    type: z.literal("BPE"),
    dropout: z.null(),
    unk_token: z.null(),
    continuing_subword_prefix: z.null(),
    end_of_word_suffix: z.null(),
    fuse_unk: z.literal(false),
    byte_fallback: z.literal(false),
    ignore_merges: z.literal(false),
    vocab: z.record(z.string(), z.int().min(0)),
    merges: z.array(z.never()),
  }),
});
export type TokenizerJson = z.output<typeof TokenizerJson>;

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false } as const;

/** One token for each code point of the corpus, ids in code point order. `codePoints`: distinct, in any order. */
export function charTokenizer(codePoints: readonly number[]): Tokenizer {
  return new CharTokenizer([...codePoints].sort((a, b) => a - b));
}

/** 256 tokens: the bytes of UTF-8, each its own id. */
export function byteTokenizer(): Tokenizer {
  return new ByteTokenizer();
}

/** Reads what `toJSON` wrote; throws for the `tokenizer.json` of any other tokenizer. */
export function parseTokenizer(json: unknown): Tokenizer {
  const { pre_tokenizer, decoder, model } = TokenizerJson.parse(json);
  const tokens = Object.entries(model.vocab).sort(([, a], [, b]) => a - b);
  if (tokens.some(([, id], index) => id !== index)) {
    throw new Error("tokenizer.json: the ids of vocab are not 0, 1, 2, …");
  }
  if (pre_tokenizer?.type === "ByteLevel" && decoder.type === "ByteLevel") {
    if (tokens.length === 256 && tokens.every(([token, id]) => token === BYTE_TO_CHARACTER[id])) return byteTokenizer();
  } else if (pre_tokenizer === null && decoder.type === "Fuse") {
    const codePoints = tokens.map(([token]) => token.codePointAt(0) ?? -1);
    const one = tokens.every(([token], id) => token.length > 0 && token === String.fromCodePoint(codePoints[id]));
    if (one && codePoints.every((codePoint, id) => id === 0 || codePoint > codePoints[id - 1])) {
      return charTokenizer(codePoints);
    }
  }
  throw new Error("tokenizer.json: neither a char nor a byte tokenizer of Reverie's");
}

class CharTokenizer implements Tokenizer {
  readonly kind = "char";
  readonly vocabSize: number;
  readonly #characters: string[];
  readonly #ids: Map<number, number>;

  constructor(codePoints: number[]) {
    this.vocabSize = codePoints.length;
    this.#characters = codePoints.map((codePoint) => String.fromCodePoint(codePoint));
    this.#ids = new Map(codePoints.map((codePoint, id) => [codePoint, id]));
  }

  encode(text: string): Uint32Array<ArrayBuffer> {
    return this.#encode(text, (character, codePoint) => {
      throw new UnknownCharacterError(character, codePoint);
    });
  }

  encodeKnown(text: string): Uint32Array<ArrayBuffer> {
    return this.#encode(text, () => {});
  }

  unknownIn(text: string): string {
    const unknown = new Set<string>();
    this.#encode(text, (character) => unknown.add(character));
    return [...unknown].join("").toWellFormed();
  }

  #encode(text: string, unknown: (character: string, codePoint: number) => void): Uint32Array<ArrayBuffer> {
    const ids = new Uint32Array(text.length);
    let count = 0;
    for (const character of text) {
      const codePoint = character.codePointAt(0)!;
      const id = this.#ids.get(codePoint);
      if (id === undefined) unknown(character, codePoint);
      else ids[count++] = id;
    }
    return ids.slice(0, count);
  }

  decode(ids: ArrayLike<number>): string {
    let text = "";
    for (let i = 0; i < ids.length; i++) text += this.#character(ids[i]);
    return text;
  }

  tokenBytes(id: number): number {
    const codePoint = this.#character(id).codePointAt(0)!;
    return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  }

  toJSON(): TokenizerJson {
    return tokenizerJson(this.#characters, null, { type: "Fuse" });
  }

  #character(id: number): string {
    const character = this.#characters[id];
    if (character === undefined) throw unknownId(id, this.vocabSize);
    return character;
  }
}

class ByteTokenizer implements Tokenizer {
  readonly kind = "byte";
  readonly vocabSize = 256;

  encode(text: string): Uint32Array<ArrayBuffer> {
    return Uint32Array.from(new TextEncoder().encode(text));
  }

  encodeKnown(text: string): Uint32Array<ArrayBuffer> {
    return this.encode(text);
  }

  unknownIn(): string {
    return "";
  }

  decode(ids: ArrayLike<number>): string {
    const bytes = new Uint8Array(ids.length);
    for (let i = 0; i < ids.length; i++) {
      checkByte(ids[i]);
      bytes[i] = ids[i];
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  tokenBytes(id: number): number {
    checkByte(id);
    return 1;
  }

  toJSON(): TokenizerJson {
    return tokenizerJson(BYTE_TO_CHARACTER, BYTE_LEVEL, BYTE_LEVEL);
  }
}

function tokenizerJson(
  tokens: readonly string[],
  pre_tokenizer: TokenizerJson["pre_tokenizer"],
  decoder: TokenizerJson["decoder"],
): TokenizerJson {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer,
    post_processor: null,
    decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
}

function checkByte(id: number): void {
  if (!(Number.isInteger(id) && id >= 0 && id < 256)) throw unknownId(id, 256);
}

function unknownId(id: number, vocabSize: number): RangeError {
  return new RangeError(`token id ${id} is outside the vocabulary of ${vocabSize}`);
}
