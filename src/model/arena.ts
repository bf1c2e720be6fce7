import type { BufferRange, Memory, MemoryRole, Tensor } from "../gpu/memory.ts";
import type { ArenaLayout, Region } from "./layout.ts";

/** Rows `[firstRow, firstRow + shape[0])` of a table too large for one binding, or all of one that is not. */
export interface Shard extends Tensor {
  firstRow: number;
}

/** One value for each parameter — the parameters, their gradients, or a moment — in few large buffers. */
export class Arena {
  readonly blocks: readonly GPUBuffer[];
  readonly #shards: ReadonlyMap<string, readonly Shard[]>;

  constructor(memory: Memory, role: MemoryRole, name: string, readonly layout: ArenaLayout) {
    this.blocks = layout.blocks.map((bytes, index) => memory.buffer(role, `${name} ${index}`, bytes));
    this.#shards = new Map(layout.parameters.map(({ spec, shards }) => [
      spec.name,
      shards.map(({ block, offset, size, firstRow, rows }) => ({
        name: spec.name,
        shape: [rows, ...spec.shape.slice(1)],
        buffer: this.blocks[block],
        offset,
        size,
        firstRow,
      })),
    ]));
  }

  /** The parts of a table that may be split; most have one. */
  shards(name: string): readonly Shard[] {
    const shards = this.#shards.get(name);
    if (!shards) throw new Error(`no parameter is named ${name}`);
    return shards;
  }

  /** The optimizer's run of this arena. */
  region({ block, offset, size }: Region): BufferRange {
    return { buffer: this.blocks[block], offset, size };
  }
}
