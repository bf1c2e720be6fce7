import { setImmediate } from "node:timers/promises";
import { elements } from "../gpu/sizes.ts";
import { PIECE_BYTES, type Readback } from "../gpu/readback.ts";
import { Random } from "../data/random.ts";
import type { Arena } from "../model/arena.ts";
import type { ParameterSpec } from "../model/parameters.ts";

/** Tensor i draws its initial values from stream WEIGHT_STREAM + i ("init"). */
const WEIGHT_STREAM = 0x696e_6974;
/** Written to the GPU at a time: bounds the memory that values take on the way. */
const PIECE_ELEMENTS = 2 ** 20;

/** The initial value of every parameter, drawn on the CPU so that all adapters start from the same bits. */
export async function initializeWeights(device: GPUDevice, arena: Arena, seed: number): Promise<void> {
  for (const [index, { spec }] of arena.layout.parameters.entries()) {
    const next = initialValues(spec, new Random(seed, WEIGHT_STREAM + index));
    await writeTensor(device, arena, spec, (piece) => {
      for (let i = 0; i < piece.length; i++) piece[i] = next();
    });
  }
}

function initialValues({ init }: ParameterSpec, random: Random): () => number {
  return init.kind === "constant" ? () => init.value : () => init.std * random.normal();
}

/** Fills a tensor piece by piece, in C order. */
export async function writeTensor(
  device: GPUDevice,
  arena: Arena,
  { name }: Pick<ParameterSpec, "name">,
  fill: (piece: Float32Array<ArrayBuffer>) => void | Promise<void>,
): Promise<void> {
  for (const shard of arena.shards(name)) {
    const total = elements(shard.shape);
    for (let start = 0; start < total; start += PIECE_ELEMENTS) {
      const piece = new Float32Array(Math.min(PIECE_ELEMENTS, total - start));
      await fill(piece);
      await setImmediate(); // a large model takes a while, and commands must be heard
      device.queue.writeBuffer(shard.buffer, shard.offset + 4 * start, piece);
    }
  }
}

/** A tensor's bytes in C order, in pieces: a checkpoint of any size passes through little memory. */
export async function* readTensor(readback: Readback, arena: Arena, name: string): AsyncGenerator<Uint8Array> {
  for (const { buffer, offset, size } of arena.shards(name)) {
    for (let start = 0; start < size; start += PIECE_BYTES) {
      const piece = { buffer, offset: offset + start, size: Math.min(PIECE_BYTES, size - start) };
      yield new Uint8Array(await readback.read(piece)); // sync point
    }
  }
}
