import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";

/**
 * safetensors: u64 LE length of the header, JSON header `{name: {dtype, shape, data_offsets}}`, then the tensors'
 * bytes in C order (https://github.com/huggingface/safetensors). Only F32 is written and read.
 */

export interface TensorToWrite {
  name: string;
  shape: readonly number[];
  /** The tensor's bytes, in pieces. */
  bytes: AsyncIterable<Uint8Array>;
}

/** The file's bytes, in pieces. */
export async function* encodeSafetensors(
  tensors: readonly TensorToWrite[],
  metadata: Record<string, string>,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  const entries = tensors.map(({ name, shape }) => {
    const size = 4 * shape.reduce((product, each) => product * each, 1);
    return [name, { dtype: "F32", shape, data_offsets: [offset, offset += size] }] as const;
  });
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const header = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8)); // names are ASCII
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(header.length), true);
  yield new Uint8Array(length.buffer);
  yield header;
  for (const { bytes } of tensors) yield* bytes;
}

const Header = z.record(
  z.string(),
  z.union([
    z.object({
      dtype: z.literal("F32"),
      shape: z.array(z.int().min(0)),
      data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
    }),
    z.record(z.string(), z.string()), // __metadata__
  ]),
);

/** The largest header that safetensors' own reader takes. */
const MAX_HEADER_BYTES = 100_000_000;

/** An open file whose header has been read and held against the file's size. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    readonly file: FileHandle,
    readonly tensors: ReadonlyMap<string, { shape: readonly number[]; start: number; size: number }>,
  ) {}

  /** @throws Error naming the file, where it is cut or not of this format */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path, "r");
    try {
      return new SafetensorsFile(path, file, await readHeader(path, file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A tensor's bytes from `offset` on. */
  async read(name: string, offset: number, bytes: Uint8Array): Promise<void> {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`${this.path} has no tensor ${name}`);
    if (offset + bytes.length > tensor.size) throw new RangeError(`${this.path}: ${name} ends at byte ${tensor.size}`);
    await readFully(this.path, this.file, bytes, tensor.start + offset);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

async function readHeader(path: string, file: FileHandle) {
  const prefix = new Uint8Array(8);
  await readFully(path, file, prefix, 0);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  const { size: fileSize } = await file.stat();
  if (length > Math.min(MAX_HEADER_BYTES, fileSize - 8)) {
    throw new Error(`${path} is not a safetensors file, or is cut`);
  }
  const json = new Uint8Array(length);
  await readFully(path, file, json, 8);
  const header = Header.parse(JSON.parse(new TextDecoder().decode(json)));
  const tensors = new Map<string, { shape: readonly number[]; start: number; size: number }>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__" || !Array.isArray(entry.data_offsets) || !Array.isArray(entry.shape)) continue;
    const [start, end] = entry.data_offsets;
    if (8 + length + end > fileSize) throw new Error(`${path} is cut: ${name} ends past it`);
    tensors.set(name, { shape: entry.shape, start: 8 + length + start, size: end - start });
  }
  return tensors;
}

async function readFully(path: string, file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) throw new Error(`${path} is cut at byte ${position + filled}`);
    filled += bytesRead;
  }
}
