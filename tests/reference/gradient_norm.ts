/** The L2 norm of all gradients as one vector. */
export function globalNorm(gradients: Iterable<Float64Array>): number {
  let sum = 0;
  for (const gradient of gradients) for (const g of gradient) sum += g * g;
  return Math.sqrt(sum);
}

/** What `torch.nn.utils.clip_grad_norm_` multiplies every gradient by: min(1, maxNorm / (norm + 1e-6)). */
export function clipFactor(norm: number, maxNorm: number | null): number {
  return maxNorm === null || maxNorm === 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}
