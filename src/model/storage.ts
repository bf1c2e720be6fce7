import { type MatrixStorage, textureWidth } from "../gpu/matrix.ts";
import { COPIED_ROW_BYTES } from "../gpu/sizes.ts";
import type { ModelConfig } from "./config.ts";
import type { ParameterSpec } from "./parameters.ts";

/** How a model's matrices are stored on an adapter: arithmetic that `describe` shares with what allocates. */

export type Precision = "f32" | "f16";

/** What of an adapter decides it. */
export interface StorageTraits {
  /** Software adapters read textures several times faster than buffers. */
  software: boolean;
  maxTextureDimension2D: number;
}

/** What a model's activations and its copies of weights are stored as. */
export function storageOf(
  { n_embd, n_head }: ModelConfig,
  precision: Precision,
  { software, maxTextureDimension2D }: StorageTraits,
): (rows: number, columns: number) => MatrixStorage {
  // Heads of whole vec4s start at vec4s, and so does everything else; other models are small or odd, and slow.
  const vectors = (n_embd / n_head) % 4 === 0;
  return (rows, columns) => {
    const texture: MatrixStorage = { kind: "texture", element: precision };
    const fits = Math.max(rows, textureWidth(rows, columns, texture)) <= maxTextureDimension2D;
    if (vectors && software && fits) return texture;
    return { kind: vectors ? "vectors" : "scalars", element: precision };
  };
}

/**
 * What kernels read some rows of a parameter as, where that is a copy, made after each update, of the arena's f32: the
 * weights, as activations are stored, and on software adapters LayerNorm's vectors where copying them costs no kernel.
 * Null: they read the arena.
 */
export function copyStorageOf(
  { name, shape }: ParameterSpec,
  rows: number,
  model: ModelConfig,
  precision: Precision,
  traits: StorageTraits,
): MatrixStorage | null {
  const columns = shape[shape.length - 1];
  if (shape.length > 1) {
    const storage = storageOf(model, precision, traits)(rows, columns);
    return storage.kind === "texture" || storage.element === "f16" ? storage : null;
  }
  const { kind } = storageOf(model, precision, traits)(1, columns);
  const isCopied = /\.ln_\w+\.(weight|bias)$/.test(name) && (4 * columns) % COPIED_ROW_BYTES === 0;
  return kind === "texture" && isCopied ? { kind, element: "f32" } : null;
}
