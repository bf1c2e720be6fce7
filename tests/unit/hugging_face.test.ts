import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import expected from "../fixtures/hugging_face/expected.json";
import { FILES, folder, KINDS, TOKENIZERS } from "../fixtures/hugging_face/folders.ts";

const parse = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

describe.each([...KINDS])("a folder with a %s tokenizer", (kind) => {
  const { texts, model_max_length } = expected[kind];
  const tokenizer = TOKENIZERS[kind];

  test.each(Object.keys(FILES[kind]))("has the %s that transformers has read", (name) => {
    const read = readFileSync(`${folder(kind)}/${name}`, "utf8");
    // Where they differ, `expected.json` says nothing any more: make it again.
    expect(new TextDecoder().decode(FILES[kind][name as keyof (typeof FILES)[typeof kind]])).toBe(read);
  });

  test("is read by AutoTokenizer as by us", () => {
    for (const { text, ids, decoded } of texts) {
      expect([...tokenizer.encodeKnown(text)]).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
    }
  });

  test("is read alike by Hugging Face's tokenizers in JavaScript", () => {
    const files = FILES[kind];
    const theirs = new HuggingFaceTokenizer(parse(files["tokenizer.json"]), parse(files["tokenizer_config.json"]));
    for (const { text, ids, decoded } of texts) {
      expect(theirs.encode(text).ids).toEqual(ids);
      if (ids.length > 0) expect(theirs.decode(ids)).toBe(decoded);
    }
  });

  test("has no text longer than the model knows positions", () => {
    const { n_positions, vocab_size } = parse(FILES[kind]["config.json"]);
    expect(model_max_length).toBe(n_positions);
    expect(vocab_size).toBe(tokenizer.vocabSize);
  });
});
