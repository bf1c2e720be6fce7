import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidUtf8Error, readCharacters, storeText, TextTooLargeError } from "../../src/data/text_store.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reverie-text-"));
});
afterAll(() => rm(folder, { recursive: true }));

const ODD_TEXT = "\ufeffNaïve café\r\n\tŒuvre — 東京 🦊👩‍🚀 e\u0301 \0 \u{10ffff}\ud7ff\ue000 end";

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const store = (bytes: Uint8Array, size = bytes.length, options = {}) =>
  storeText(inPieces(bytes, size), join(folder, "text"), options);

describe("storeText", () => {
  test("stores the bytes and counts them, however the stream is cut", async () => {
    const bytes = new TextEncoder().encode(ODD_TEXT);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      expect(await store(bytes, size)).toEqual({
        sha256: createHash("sha256").update(bytes).digest("hex"),
        bytes: bytes.length,
        characters: [...ODD_TEXT].length,
        distinctCharacters: new Set(ODD_TEXT).size,
      });
      expect(await readFile(join(folder, "text"))).toEqual(Buffer.from(bytes));
      expect(await readdir(folder)).toEqual(["text"]);
    }
  });

  test("an empty text is a text", async () => {
    expect(await store(new Uint8Array(0), 1)).toMatchObject({ bytes: 0, characters: 0, distinctCharacters: 0 });
  });

  test("larger than a decoder's block, characters across its borders", async () => {
    const text = "a" + "é🦊".repeat(20_000);
    expect(await store(new TextEncoder().encode(text))).toMatchObject({ characters: 40_001, distinctCharacters: 3 });
  });

  // The offset is that of the character's first byte, as Python's UnicodeDecodeError.start says it.
  const bad: [string, number[], number][] = [
    ["a stray byte", [0x61, 0x62, 0xff], 2],
    ["a lone continuation byte", [0x61, 0x80], 1],
    ["an overlong slash, two bytes", [0xc0, 0xaf], 0],
    ["an overlong slash, three bytes", [0x61, 0xe0, 0x80, 0xaf], 1],
    ["an overlong form, four bytes", [0xf0, 0x8f, 0xbf, 0xbf], 0],
    ["a surrogate", [0x61, 0xed, 0xa0, 0x80], 1],
    ["past U+10FFFF", [0xf4, 0x90, 0x80, 0x80], 0],
    ["a lead byte of five", [0xf8, 0x88, 0x80, 0x80, 0x80], 0],
    ["a broken sequence", [0xc3, 0xa9, 0xc3, 0x28], 2],
    ["an unfinished end", [0x61, 0xf0, 0x9f, 0xa6], 1],
    ["UTF-16", [0xff, 0xfe, 0x61, 0x00], 0],
  ];
  test.each(bad)("refuses %s with its offset", async (_name, bytes, offset) => {
    await writeFile(join(folder, "text"), "what was there");
    for (const size of [1, bytes.length]) {
      const error = await store(Uint8Array.from(bytes), size).then(() => null, (reason) => reason);
      expect(error).toBeInstanceOf(InvalidUtf8Error);
      expect(error.offset).toBe(offset);
      expect(await readdir(folder)).toEqual(["text"]);
      expect(await readFile(join(folder, "text"), "utf8")).toBe("what was there");
    }
  });

  test("offsets count from the start of a long text", async () => {
    const bytes = new Uint8Array(100_000).fill(0x61);
    bytes[77_777] = 0xfe;
    await expect(store(bytes, 30_000)).rejects.toMatchObject({ offset: 77_777 });
  });

  test("stops at maxBytes without taking the rest, and leaves nothing", async () => {
    let taken = 0;
    async function* endless() {
      for (;;) {
        taken++;
        yield new Uint8Array(1000).fill(0x61);
      }
    }
    const path = join(folder, "large");
    const error = await storeText(endless(), path, { maxBytes: 2500 }).then(() => null, (reason) => reason);
    expect(error).toBeInstanceOf(TextTooLargeError);
    expect(error.maxBytes).toBe(2500);
    expect(taken).toBe(3);
    expect(await readdir(folder)).toEqual(["text"]);
    expect((await store(new Uint8Array(2500).fill(0x61), 999, { maxBytes: 2500 })).bytes).toBe(2500);
  });

  test("passes on what its source throws, and leaves nothing", async () => {
    async function* broken() {
      yield new Uint8Array(10).fill(0x61);
      throw new Error("the client went away");
    }
    await expect(storeText(broken(), join(folder, "gone"))).rejects.toThrow("the client went away");
    expect(await readdir(folder)).toEqual(["text"]);
  });
});

test("readCharacters reads any range of code points", async () => {
  const path = join(folder, "text");
  await storeText(inPieces(new TextEncoder().encode(ODD_TEXT), 5), path);
  const characters = [...ODD_TEXT];
  for (let offset = 0; offset <= characters.length + 1; offset++) {
    for (const limit of [0, 1, 2, 7, 1000]) {
      expect(await readCharacters(path, { offset, limit })).toBe(characters.slice(offset, offset + limit).join(""));
    }
  }
  const long = "é🦊".repeat(30_000);
  await writeFile(path, long);
  expect(await readCharacters(path, { offset: 32_000, limit: 20_000 })).toBe([...long].slice(32_000, 52_000).join(""));
});
