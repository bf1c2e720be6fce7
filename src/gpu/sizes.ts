/** Arithmetic of sizes, which `describe` shares with what allocates. */

/** Bindings may start at multiples of this on every adapter (WebGPU's default `minStorageBufferOffsetAlignment`). */
export const BINDING_ALIGNMENT = 256;

/** Rows that WebGPU copies between buffers and textures are multiples of this. */
export const COPIED_ROW_BYTES = 256;

export function align(bytes: number): number {
  return Math.ceil(bytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
}

/** Bindings and copies are of whole 4-byte words: an odd number of f16 ends in half of one. */
export function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** How many a tensor of this shape has. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
