/** The size of the loss head's one buffer of logits: arithmetic that `describe` shares with the recording. */

/** A chunk of logits stays near this, large enough to keep a card busy, small enough for a CPU's memory. */
const CHUNK_BYTES = 32 * 2 ** 20;
/** Chunks of rows start at multiples of this, so that every tensor's chunk starts on a binding's alignment. */
const CHUNK_ROWS = 64;

/** Elements from one row of logits to the next: V, and zeros to a whole vec4. */
export function logitsStride(vocabulary: number): number {
  return Math.ceil(vocabulary / 4) * 4;
}

/** Rows of a chunk: at most half of all, unless they are fewer than the smallest chunk. */
export function chunkRows(rows: number, vocabulary: number): number {
  const wanted = Math.min(CHUNK_BYTES / (4 * logitsStride(vocabulary)), rows / 2);
  return Math.min(rows, Math.max(1, Math.floor(wanted / CHUNK_ROWS)) * CHUNK_ROWS);
}
