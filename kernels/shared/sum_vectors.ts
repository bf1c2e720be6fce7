/** Vectors of four elements that one workgroup of the gradient norm's first stage sums. */
export const SUM_VECTORS = 4096;
