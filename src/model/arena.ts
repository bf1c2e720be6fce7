import type { BufferRange, Memory, MemoryRole } from "../gpu/memory.ts";
import type { Shard } from "../nn/embedding.ts";
import type { ArenaLayout, Region } from "./layout.ts";

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

  /** A parameter that lies whole in one place. */
  tensor(name: string): Shard {
    const [whole, ...others] = this.shards(name);
    if (others.length > 0) throw new Error(`${name} is split over ${others.length + 1} bindings`);
    return whole;
  }

  /** The optimizer's run of this arena. */
  region({ block, offset, size }: Region): BufferRange {
    return { buffer: this.blocks[block], offset, size };
  }
}
