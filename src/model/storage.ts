import { type MatrixStorage, textureWidth } from "../gpu/matrix.ts";
import type { ModelConfig } from "./config.ts";

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

/** Whether kernels read copies of the weights, made after each update, rather than the arena of f32 itself. */
export function copiesWeights(model: ModelConfig, precision: Precision, traits: StorageTraits): boolean {
  const { kind, element } = storageOf(model, precision, traits)(1, 4);
  return kind === "texture" || element === "f16";
}
