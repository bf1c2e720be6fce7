import { layernormBackward, layernormBackwardResidual } from "#kernels/layernorm_backward.ts";
import { layernormBackwardParameters } from "#kernels/layernorm_backward_parameters.ts";
import { layernormForward } from "#kernels/layernorm_forward.ts";
import type { Matrix } from "../gpu/matrix.ts";
import type { Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

/** What the backward pass needs of the forward's: (N) each. */
export interface LayerNormStatistics {
  mean: Tensor;
  rstd: Tensor;
}

/** y (N, C) = (x - mean) · rstd · weight + bias over each row; weight and bias are (1, C). */
export function recordLayerNormForward(
  plan: Plan,
  { x, weight, bias, y, mean, rstd }: { x: Matrix; weight: Matrix; bias: Matrix; y: Matrix } & LayerNormStatistics,
  { rows, channels, epsilon }: { rows: number; channels: number; epsilon: number },
): void {
  plan.record(layernormForward, { x, weight, bias, y, mean, rstd }, { rows, channels, epsilon });
}

/**
 * dx (N, C) = dresidual, the residual stream's gradient where there is one, + LayerNorm's; dweight (1, C) += Σ dy · xhat;
 * dbias (1, C) += Σ dy.
 */
export function recordLayerNormBackward(
  plan: Plan,
  { x, weight, dy, dresidual, dx, dweight, dbias, mean, rstd }: {
    x: Matrix;
    weight: Matrix;
    dy: Matrix;
    dresidual: Matrix | null;
    dx: Matrix;
    dweight: Matrix;
    dbias: Matrix;
  } & LayerNormStatistics,
  dims: { rows: number; channels: number },
): void {
  plan.record(layernormBackwardParameters, { dy, x, mean, rstd, dweight, dbias }, dims);
  if (dresidual) plan.record(layernormBackwardResidual, { dy, x, weight, mean, rstd, dresidual, dx }, dims);
  else plan.record(layernormBackward, { dy, x, weight, mean, rstd, dx }, dims);
}
