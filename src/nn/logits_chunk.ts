/** The size of the loss head's chunk of logits: arithmetic that `describe` shares with the recording. */

/** A chunk of f32 logits stays below this: each chunk reads and writes the whole gradient of the table once. */
const CHUNK_BYTES = 64 * 2 ** 20;
/** Rows of a chunk are a multiple of this. */
const CHUNK_ROWS = 64;

/** Rows of a chunk: at most half of all, unless they are fewer than the smallest chunk. */
export function chunkRows(rows: number, vocabulary: number): number {
  const wanted = Math.min(CHUNK_BYTES / (4 * vocabulary), rows / 2);
  return Math.min(rows, Math.max(1, Math.floor(wanted / CHUNK_ROWS)) * CHUNK_ROWS);
}
