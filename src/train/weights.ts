import { elements } from "../gpu/sizes.ts";
import { PIECE_BYTES, type Readback } from "../gpu/readback.ts";
import { Random } from "../data/random.ts";
import type { Arena } from "../model/arena.ts";
import type { ParameterSpec } from "../model/parameters.ts";
import { Turns } from "../turns.ts";

/** Tensor i draws its initial values from stream WEIGHT_STREAM + i ("init"). */
const WEIGHT_STREAM = 0x696e_6974;
/** Written to the GPU at a time: bounds the memory that values take on the way. */
const PIECE_ELEMENTS = 2 ** 20;

/** Lets commands in during long work; it may throw to end that work. */
export type GiveTurn = () => Promise<void>;

function plainTurns(): GiveTurn {
  const turns = new Turns();
  return () => turns.give();
}

/** The initial value of every parameter, drawn on the CPU so that all adapters start from the same bits. */
export async function initializeWeights(
  device: GPUDevice,
  arena: Arena,
  seed: number,
  giveTurn = plainTurns(),
): Promise<void> {
  for (const [index, { spec }] of arena.layout.parameters.entries()) {
    const next = initialValues(spec, new Random(seed, WEIGHT_STREAM + index));
    await writeTensor(device, arena, spec, (piece) => {
      for (let i = 0; i < piece.length; i++) piece[i] = next();
    }, giveTurn);
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
  giveTurn = plainTurns(),
): Promise<void> {
  for (const shard of arena.shards(name)) {
    const total = elements(shard.shape);
    for (let start = 0; start < total; start += PIECE_ELEMENTS) {
      const piece = new Float32Array(Math.min(PIECE_ELEMENTS, total - start));
      await fill(piece);
      await giveTurn(); // a large model takes a while, and commands must be heard
      device.queue.writeBuffer(shard.buffer, shard.offset + 4 * start, piece);
    }
  }
}

/** The weights that decay lie before those that do not, and a table names them in turns: two places at a time. */
const WINDOWS = 2;

/**
 * Reads tensors of arenas that do not change meanwhile. A readback costs 11 ms however small it is (a model of 4 layers
 * has 52 tensors), so arenas are read in windows of `PIECE_BYTES`, and tensors taken out of them. Of any size, a model
 * passes through little memory.
 */
export class ArenaReader {
  /** The newest last. */
  #windows: { buffer: GPUBuffer; start: number; bytes: Uint8Array }[] = [];

  constructor(private readonly readback: Readback, private readonly windowBytes = PIECE_BYTES) {}

  /** A tensor's bytes in C order, in pieces. */
  async *tensor(arena: Arena, name: string): AsyncGenerator<Uint8Array> {
    for (const { buffer, offset, size } of arena.shards(name)) {
      const end = offset + size;
      for (let at = offset; at < end;) {
        const { start, bytes } = await this.#windowAt(buffer, at);
        const to = Math.min(end, start + bytes.length);
        yield bytes.subarray(at - start, to - start);
        at = to;
      }
    }
  }

  async #windowAt(buffer: GPUBuffer, offset: number) {
    const start = offset - offset % this.windowBytes;
    const known = this.#windows.findIndex((window) => window.buffer === buffer && window.start === start);
    const [window] = known >= 0 ? this.#windows.splice(known, 1) : [await this.#read(buffer, start)];
    this.#windows = [...this.#windows, window].slice(-WINDOWS);
    return window;
  }

  async #read(buffer: GPUBuffer, start: number) {
    const size = Math.min(this.windowBytes, buffer.size - start);
    const bytes = new Uint8Array(await this.readback.read({ buffer, offset: start, size })); // sync point
    return { buffer, start, bytes };
  }
}
