import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareTokens } from "../../src/data/token_shards.ts";
import { InvalidUtf8Error } from "../../src/data/utf8.ts";

const SHA256 = "5e".repeat(32);
const TEXT = "Grüße, 東京 🦊!\r\n".repeat(5000); // larger than a block, characters across its borders

let root: string;
let folder: string;
let textPath: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "reverie-tokens-"));
  folder = join(root, "tokens");
  textPath = join(root, "text");
  await writeFile(textPath, TEXT);
});
afterEach(() => rm(root, { recursive: true }));

const prepare = (kind: "char" | "byte") => prepareTokens({ textPath, textSha256: SHA256, kind, folder });
const tokensPath = (kind: string) => join(folder, `${SHA256}.${kind}.tokens`);

test.each(["char", "byte"] as const)("%s tokens are the tokenizer's, at any offset", async (kind) => {
  const corpus = await prepare(kind);
  const expected = corpus.tokenizer.encode(TEXT);
  expect(corpus.tokenizer.kind).toBe(kind);
  expect(corpus.tokenizer.vocabSize).toBe(kind === "char" ? new Set(TEXT).size : 256);
  expect(corpus.length).toBe(expected.length);
  for (
    const [offset, count] of [[0, 1], [1, 17], [30_000, 70], [7, 0], [expected.length - 3, 3], [0, expected.length]]
  ) {
    expect(Array.from(corpus.read(offset, count))).toEqual([...expected.subarray(offset, offset + count)]);
  }
  for (const [offset, count] of [[-1, 2], [expected.length, 1], [0, expected.length + 1]]) {
    expect(() => corpus.read(offset, count)).toThrow(RangeError);
  }
  corpus.close();
  expect((await stat(tokensPath(kind))).size).toBe(2 * expected.length);
  expect((await readdir(folder)).sort()).toEqual([`${SHA256}.${kind}.json`, `${SHA256}.${kind}.tokens`]);
});

test("a vocabulary past u16 takes u32", async () => {
  const characters: string[] = [];
  for (let codePoint = 0x10000; characters.length < 0x10001; codePoint++) {
    characters.push(String.fromCodePoint(codePoint));
  }
  await writeFile(textPath, characters.join(""));
  const corpus = await prepare("char");
  expect(corpus.tokenizer.vocabSize).toBe(0x10001);
  expect(Array.from(corpus.read(0xfffe, 3))).toEqual([0xfffe, 0xffff, 0x10000]);
  corpus.close();
});

test("an empty text has no tokens", async () => {
  await writeFile(textPath, "");
  for (const kind of ["char", "byte"] as const) {
    const corpus = await prepare(kind);
    expect(corpus.length).toBe(0);
    corpus.close();
  }
});

test("a whole token file is opened again, without the text", async () => {
  (await prepare("char")).close();
  await rm(textPath);
  const corpus = await prepare("char");
  expect(corpus.tokenizer.decode(corpus.read(0, corpus.length))).toBe(TEXT);
  corpus.close();
});

const damages: [string, () => Promise<void>][] = [
  ["a cut token file", () => truncate(tokensPath("char"), 1000)],
  ["a missing token file", () => rm(tokensPath("char"))],
  ["a cut sidecar", () => truncate(join(folder, `${SHA256}.char.json`), 40)],
  ["a missing sidecar", () => rm(join(folder, `${SHA256}.char.json`))],
  ["a sidecar of another kind", () => writeFile(join(folder, `${SHA256}.char.json`), '{"format":0}')],
];
test.each(damages)("%s is made anew", async (_name, damage) => {
  (await prepare("char")).close();
  const whole = await readFile(tokensPath("char"));
  await utimes(tokensPath("char"), 1, 1);
  await damage();
  (await prepare("char")).close();
  expect(await readFile(tokensPath("char"))).toEqual(whole);
  expect((await stat(tokensPath("char"))).mtimeMs).toBeGreaterThan(1000);
  expect(await readdir(folder)).toHaveLength(2);
});

test("two at once make the same file", async () => {
  const corpora = await Promise.all([prepare("char"), prepare("char")]);
  for (const corpus of corpora) {
    expect(corpus.tokenizer.decode(corpus.read(0, corpus.length))).toBe(TEXT);
    corpus.close();
  }
  expect(await readdir(folder)).toHaveLength(2);
});

test("what is not UTF-8 makes no file", async () => {
  await writeFile(textPath, Uint8Array.of(0x61, 0xe2, 0x82));
  await expect(prepare("char")).rejects.toBeInstanceOf(InvalidUtf8Error);
  expect(await readdir(folder)).toEqual([]);
});

test("a file cut while open is noticed", async () => {
  const corpus = await prepare("byte");
  await truncate(tokensPath("byte"), 10);
  expect(Array.from(corpus.read(0, 5))).toHaveLength(5);
  expect(() => corpus.read(4, 5)).toThrow("cut while in use");
  corpus.close();
});
