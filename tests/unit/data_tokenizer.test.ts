import { describe, expect, test } from "bun:test";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import {
  byteTokenizer,
  charTokenizer,
  parseTokenizer,
  type Tokenizer,
  UnknownCharacterError,
} from "../../src/data/tokenizer.ts";

const TEXTS = [
  "Hello, world!",
  "  leading, trailing and   many spaces  ",
  "\n\n\tlines\r\nand\rmore\n",
  "naïve café Œuvre ß e\u0301 ﬁ",
  "東京 — “quotes” … 🦊👩‍🚀🏳️‍🌈 \u{10ffff}",
  "NUL \0 and controls \x01\x7f\u0085\u00ad\u00a0\u2028\ufeff",
  "\ufeffa byte order mark first",
  "0123456789 __proto__ constructor <|endoftext|> <unk> don't I'll they've",
  'he said "no" \\ and // {"a": [1]}',
  " ",
];
const CORPUS = TEXTS.join("");
const codePointsOf = (text: string) => [...new Set(text)].map((character) => character.codePointAt(0)!);

/** As Hugging Face reads the file: through JSON text. */
const huggingFace = (tokenizer: Tokenizer) =>
  new HuggingFaceTokenizer(JSON.parse(JSON.stringify(tokenizer)), { clean_up_tokenization_spaces: false });

describe.each(
  [
    ["char", charTokenizer(codePointsOf(CORPUS))],
    ["byte", byteTokenizer()],
  ] as const,
)("the %s tokenizer", (kind, tokenizer) => {
  test("decodes what it encodes, and counts its bytes", () => {
    for (const text of [...TEXTS, ""]) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.encodeKnown(text)).toEqual(ids);
      expect(tokenizer.unknownIn(text)).toBe("");
      expect(ids.length).toBe(kind === "char" ? [...text].length : Buffer.byteLength(text));
      expect(ids.reduce((bytes, id) => bytes + tokenizer.tokenBytes(id), 0)).toBe(Buffer.byteLength(text));
    }
  });

  test("agrees with Hugging Face's reading of its tokenizer.json", () => {
    const theirs = huggingFace(tokenizer);
    for (const text of TEXTS) {
      const ids = [...tokenizer.encode(text)];
      expect(theirs.encode(text).ids).toEqual(ids);
      expect(theirs.decode(ids)).toBe(text);
    }
  });

  test("reads its tokenizer.json back", () => {
    const again = parseTokenizer(JSON.parse(JSON.stringify(tokenizer)));
    expect(again.kind).toBe(kind);
    expect(again.vocabSize).toBe(tokenizer.vocabSize);
    expect(again.toJSON()).toEqual(tokenizer.toJSON());
    expect(again.encode(CORPUS)).toEqual(tokenizer.encode(CORPUS));
  });

  test("refuses ids outside its vocabulary", () => {
    for (const id of [-1, tokenizer.vocabSize, 0.5, NaN]) {
      expect(() => tokenizer.decode([id])).toThrow(RangeError);
      expect(() => tokenizer.tokenBytes(id)).toThrow(RangeError);
    }
  });
});

describe("the char tokenizer", () => {
  test("numbers characters by code point", () => {
    const tokenizer = charTokenizer(codePointsOf("za🦊é\n"));
    expect(tokenizer.decode([0, 1, 2, 3, 4])).toBe("\nazé🦊");
    expect(tokenizer.toJSON().model.vocab).toEqual({ "\n": 0, a: 1, z: 2, "é": 3, "🦊": 4 });
  });

  test("names the character it does not know, or leaves it out", () => {
    const tokenizer = charTokenizer(codePointsOf("abc"));
    const error = (() => {
      try {
        return tokenizer.encode("ab🦊c");
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).toBeInstanceOf(UnknownCharacterError);
    expect(error).toMatchObject({ character: "🦊", codePoint: 0x1f98a });
    expect((error as Error).message).toContain('"🦊" (U+1F98A)');
    expect(tokenizer.encodeKnown("ab🦊c\ud800")).toEqual(Uint32Array.of(0, 1, 2));
    expect(tokenizer.unknownIn("é🦊ab🦊cé")).toBe("é🦊");
    expect(tokenizer.unknownIn("a\ud800")).toBe("\ufffd");
    expect(huggingFace(tokenizer).encode("ab🦊c").ids).toEqual([0, 1, 2]);
  });
});

describe("the byte tokenizer", () => {
  test("has a byte's value for its id", () => {
    expect([...byteTokenizer().encode("aé\0")]).toEqual([0x61, 0xc3, 0xa9, 0]);
  });

  test("replaces what is not UTF-8, as Hugging Face does", () => {
    const tokenizer = byteTokenizer();
    const ids = [0x61, 0xc3, 0x62, 0xff, 0xf0, 0x9f, 0xa6];
    expect(tokenizer.decode(ids)).toBe("a\ufffdb\ufffd\ufffd");
    expect(huggingFace(tokenizer).decode(ids)).toBe(tokenizer.decode(ids));
  });
});

test("parseTokenizer refuses other tokenizers", () => {
  const char = charTokenizer(codePointsOf("abc")).toJSON();
  const byte = byteTokenizer().toJSON();
  const withVocab = (vocab: Record<string, number>) => ({ ...char, model: { ...char.model, vocab } });
  expect(() => parseTokenizer(null)).toThrow();
  expect(() => parseTokenizer({})).toThrow();
  expect(() => parseTokenizer({ ...char, pre_tokenizer: byte.pre_tokenizer })).toThrow("neither");
  expect(() => parseTokenizer({ ...char, model: { ...char.model, merges: ["a b"] } })).toThrow();
  expect(() => parseTokenizer(withVocab({ a: 0, b: 2 }))).toThrow("0, 1, 2");
  expect(() => parseTokenizer(withVocab({ a: 0, bc: 1 }))).toThrow("neither");
  expect(() => parseTokenizer(withVocab({ b: 0, a: 1 }))).toThrow("neither");
  expect(() => parseTokenizer({ ...byte, model: { ...byte.model, vocab: { a: 0 } } })).toThrow("neither");
});
