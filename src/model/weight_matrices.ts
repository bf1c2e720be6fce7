import { copyMatrix } from "#kernels/elementwise.ts";
import { type Matrix, matrixIn } from "../gpu/matrix.ts";
import type { Memory } from "../gpu/memory.ts";
import { copiesToTexture, type Plan } from "../gpu/plan.ts";
import type { TableShard } from "../nn/embedding.ts";
import type { Arena } from "./arena.ts";
import type { ModelConfig } from "./config.ts";
import { copyStorageOf, type Precision, type StorageTraits } from "./storage.ts";

/** A parameter, or its gradient, as the matrices that kernels read: a vector is one row. */
export function matricesIn(arena: Arena, name: string): TableShard[] {
  return arena.shards(name).map((shard) => {
    const [rows, columns] = shard.shape.length === 1 ? [1, shard.shape[0]] : shard.shape;
    return { ...matrixIn(name, shard, rows, columns), firstRow: shard.firstRow };
  });
}

/** What lies whole in one place. */
export function matrixOf(arena: Arena, name: string): Matrix {
  const [whole, ...others] = matricesIn(arena, name);
  if (others.length > 0) throw new Error(`${name} is split over ${others.length + 1} bindings`);
  return whole;
}

/**
 * The parameters as the forward and backward passes read them: where the adapter reads something else faster than
 * buffers of f32, or half precision is asked for, matrices are copies, to be refreshed after each update.
 */
export class WeightMatrices {
  readonly #copies = new Map<string, TableShard[]>();

  constructor(
    readonly arena: Arena,
    model: ModelConfig,
    precision: Precision,
    traits: StorageTraits,
    memory: Memory,
  ) {
    for (const { spec } of arena.layout.parameters) {
      const copies = matricesIn(arena, spec.name).flatMap(({ rows, columns, firstRow }) => {
        const storage = copyStorageOf(spec, rows, model, precision, traits);
        if (!storage) return [];
        return [{ ...memory.matrix("parameters", `${spec.name} copy`, [rows, columns], storage), firstRow }];
      });
      if (copies.length > 0) this.#copies.set(spec.name, copies);
    }
  }

  shards(name: string): readonly TableShard[] {
    return this.#copies.get(name) ?? matricesIn(this.arena, name);
  }

  matrix(name: string): Matrix {
    return this.#copies.get(name)?.[0] ?? matrixOf(this.arena, name);
  }

  /** Brings the copies up to date. */
  recordRefresh(plan: Plan): void {
    for (const [name, copies] of this.#copies) {
      for (const [index, x] of matricesIn(this.arena, name).entries()) {
        const y = copies[index];
        // The driver copies memory; a kernel takes six times as long.
        if (copiesToTexture(x, y)) plan.copyToTexture(x, y);
        else plan.record(copyMatrix, { x, y }, { rows: x.rows, columns: x.columns });
      }
    }
  }
}
