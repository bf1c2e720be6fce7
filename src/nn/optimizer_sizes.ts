import { SUM_VECTORS } from "#kernels/shared/sum_vectors.ts";

/** What an optimizer takes beside the parameters: arithmetic that `describe` shares with the recording. */

/** The optimizer's kernels read vec4s of f32. */
export const VECTOR_BYTES = 16;

/** Partial sums that the norm of regions of these bytes takes. */
export function partialCount(regionBytes: readonly number[]): number {
  return regionBytes.reduce((count, bytes) => count + Math.ceil(bytes / VECTOR_BYTES / SUM_VECTORS), 0);
}

/** Arenas of moments that an optimizer keeps, by their name in a checkpoint. */
export function momentNames({ kind, momentum }: { kind: string; momentum: number }): string[] {
  if (kind === "sgd") return momentum > 0 ? ["velocity"] : [];
  return ["first_moment", "second_moment"];
}
