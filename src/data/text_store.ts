import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { writeDurably } from "./durable_file.ts";
import { CodePointSet, Utf8Decoder } from "./utf8.ts";

export { InvalidUtf8Error } from "./utf8.ts";

export class TextTooLargeError extends Error {
  constructor(readonly maxBytes: number) {
    super(`the text is larger than ${maxBytes} bytes`);
    this.name = "TextTooLargeError";
  }
}

export interface StoredText {
  /** Of the bytes, hex. */
  sha256: string;
  bytes: number;
  /** Code points. */
  characters: number;
  distinctCharacters: number;
}

/**
 * Streams a text to `path` in constant memory, checking that it is UTF-8 on the way. The file is there whole and on
 * disk when the promise resolves, and nothing is left behind when it rejects: with `InvalidUtf8Error`,
 * `TextTooLargeError` (past `maxBytes`) or whatever the source threw. The folder must exist.
 */
export function storeText(
  source: AsyncIterable<Uint8Array>,
  path: string,
  options: { maxBytes?: number } = {},
): Promise<StoredText> {
  const maxBytes = options.maxBytes ?? Infinity;
  return writeDurably(path, async (append) => {
    const hash = createHash("sha256");
    const decoder = new Utf8Decoder();
    const distinct = new CodePointSet();
    let bytes = 0;
    let characters = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new TextTooLargeError(maxBytes);
      for (const codePoints of decoder.decode(chunk)) {
        characters += codePoints.length;
        distinct.addAll(codePoints);
      }
      hash.update(chunk);
      await append(chunk);
    }
    decoder.finish();
    return { sha256: hash.digest("hex"), bytes, characters, distinctCharacters: distinct.size };
  });
}

/** A stored text's bytes, 64 KiB at a time; each block is valid until the next is asked for. */
export async function* readBlocks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r");
  try {
    const block = new Uint8Array(65_536);
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** `limit` code points of a stored text from code point `offset` on, fewer at its end; reads no further than it must. */
export async function readCharacters(path: string, range: { offset: number; limit: number }): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const end = range.offset + range.limit;
  let seen = 0; // characters begun so far
  let text = "";
  for await (const block of readBlocks(path)) {
    let from = seen > range.offset ? 0 : block.length;
    let to = block.length;
    for (let i = 0; i < block.length; i++) {
      if ((block[i] & 0xc0) === 0x80) continue; // a continuation byte begins no character
      if (seen === range.offset) from = i;
      if (seen === end) {
        to = i;
        break;
      }
      seen++;
    }
    if (from < to) text += decoder.decode(block.subarray(from, to), { stream: true });
    if (to < block.length) break;
  }
  return text + decoder.decode();
}
