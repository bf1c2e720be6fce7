import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeDurably } from "./durable_file.ts";
import { readBlocks } from "./text_store.ts";
import { byteTokenizer, charTokenizer, parseTokenizer, type Tokenizer } from "./tokenizer.ts";
import { CodePointSet, Utf8Decoder } from "./utf8.ts";

/** Tokens by position, wherever they are kept. */
export interface TokenSource {
  readonly length: number;
  /** Tokens `offset`…`offset + count − 1`, all inside the source; the answer is valid until the next `read`. */
  read(offset: number, count: number): ArrayLike<number>;
}

export interface TextToTokenize {
  /** A UTF-8 text. */
  textPath: string;
  /** SHA-256 of the text, hex: names the token files. */
  textSha256: string;
  kind: Tokenizer["kind"];
  /** Where token files are kept; made if missing. */
  folder: string;
}

/** What is written beside a token file, after it. */
const Sidecar = z.object({
  format: z.literal(1),
  /** Tokens in the file. */
  length: z.int().min(0),
  bytesPerToken: z.union([z.literal(2), z.literal(4)]),
  /** The contents of `tokenizer.json`. */
  tokenizer: z.unknown(),
});

/** A token file's path and what its sidecar says. */
interface TokenFile {
  path: string;
  length: number;
  bytesPerToken: 2 | 4;
  tokenizer: Tokenizer;
}

/**
 * Tokenises a text into one file of little-endian u16 (u32 where the vocabulary needs it), streaming it in constant
 * memory, and opens that file; a whole file of an earlier call is opened as it is. Throws `InvalidUtf8Error`.
 */
export async function prepareTokens(text: TextToTokenize): Promise<TokenCorpus> {
  await mkdir(text.folder, { recursive: true });
  const tokensPath = join(text.folder, `${text.textSha256}.${text.kind}.tokens`);
  const sidecarPath = join(text.folder, `${text.textSha256}.${text.kind}.json`);
  return new TokenCorpus(await findWhole(tokensPath, sidecarPath) ?? await tokenise(text, tokensPath, sidecarPath));
}

/** An open token file. Only the tokens asked for are in memory; the system's page cache makes rereading cheap. */
export class TokenCorpus implements TokenSource {
  readonly tokenizer: Tokenizer;
  readonly length: number;
  readonly #bytesPerToken: 2 | 4;
  readonly #file: number;
  #bytes = new Uint8Array(0);

  constructor(file: TokenFile) {
    this.tokenizer = file.tokenizer;
    this.length = file.length;
    this.#bytesPerToken = file.bytesPerToken;
    this.#file = openSync(file.path, "r");
  }

  read(offset: number, count: number): ArrayLike<number> {
    if (offset < 0 || count < 0 || offset + count > this.length) {
      throw new RangeError(`tokens ${offset}…${offset + count - 1} of a corpus of ${this.length}`);
    }
    const size = count * this.#bytesPerToken;
    if (this.#bytes.length < size) this.#bytes = new Uint8Array(size);
    for (let filled = 0; filled < size;) {
      const position = offset * this.#bytesPerToken + filled;
      const bytesRead = readSync(this.#file, this.#bytes, filled, size - filled, position);
      if (bytesRead === 0) throw new Error(`the token file ends at byte ${position}: it was cut while in use`);
      filled += bytesRead;
    }
    return tokensOf(this.#bytes.buffer, this.#bytesPerToken, count);
  }

  /** Closes the file; nothing can be read after. */
  close(): void {
    closeSync(this.#file);
  }
}

/** Deno and Bun run on little-endian machines only, so an array's own bytes are the file's. */
function tokensOf(buffer: ArrayBuffer, bytesPerToken: 2 | 4, count: number): Uint16Array | Uint32Array {
  return bytesPerToken === 2 ? new Uint16Array(buffer, 0, count) : new Uint32Array(buffer, 0, count);
}

/** The token file, if an earlier call left it at its full length with a sidecar that can be read. */
async function findWhole(path: string, sidecarPath: string): Promise<TokenFile | null> {
  const sidecar = await ifExists(readFile(sidecarPath, "utf8"));
  const tokens = await ifExists(stat(path));
  if (sidecar === null || tokens === null) return null;
  try {
    const { length, bytesPerToken, tokenizer } = Sidecar.parse(JSON.parse(sidecar));
    return tokens.size === length * bytesPerToken
      ? { path, length, bytesPerToken, tokenizer: parseTokenizer(tokenizer) }
      : null;
  } catch {
    return null; // a damaged sidecar, or one of another version: both files are only a cache, and are made anew
  }
}

async function tokenise(text: TextToTokenize, path: string, sidecarPath: string): Promise<TokenFile> {
  const codePoints = text.kind === "char" ? await distinctCodePoints(text.textPath) : [];
  const tokenizer = text.kind === "char" ? charTokenizer(codePoints) : byteTokenizer();
  const ids = text.kind === "char" ? charIds(text.textPath, codePoints) : byteIds(text.textPath);
  const bytesPerToken = tokenizer.vocabSize <= 0x10000 ? 2 : 4;
  const length = await writeDurably(path, async (append) => {
    let written = 0;
    for await (const block of ids) {
      const tokens = bytesPerToken === 2 ? Uint16Array.from(block) : Uint32Array.from(block);
      await append(new Uint8Array(tokens.buffer));
      written += block.length;
    }
    return written;
  });
  const sidecar: z.input<typeof Sidecar> = { format: 1, length, bytesPerToken, tokenizer: tokenizer.toJSON() };
  await writeDurably(sidecarPath, (append) => append(new TextEncoder().encode(JSON.stringify(sidecar))));
  return { path, length, bytesPerToken, tokenizer };
}

/** A byte is its own id. */
function byteIds(path: string): AsyncIterable<Uint8Array> {
  return readBlocks(path);
}

/** The id of each character, in blocks: its code point's rank among `sorted`, the corpus's code points. */
async function* charIds(path: string, sorted: number[]): AsyncGenerator<Uint32Array> {
  const idOf = new Uint32Array((sorted.at(-1) ?? -1) + 1);
  sorted.forEach((codePoint, id) => idOf[codePoint] = id);
  for await (const block of codePointBlocks(path)) {
    for (let i = 0; i < block.length; i++) block[i] = idOf[block[i]];
    yield block;
  }
}

async function distinctCodePoints(path: string): Promise<number[]> {
  const found = new CodePointSet();
  for await (const block of codePointBlocks(path)) found.addAll(block);
  return found.sorted();
}

async function* codePointBlocks(path: string): AsyncGenerator<Uint32Array> {
  const decoder = new Utf8Decoder();
  for await (const block of readBlocks(path)) yield* decoder.decode(block);
  decoder.finish();
}

async function ifExists<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
