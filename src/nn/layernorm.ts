import { layernormBackward } from "#kernels/layernorm_backward.ts";
import { layernormBackwardParameters } from "#kernels/layernorm_backward_parameters.ts";
import { layernormForward } from "#kernels/layernorm_forward.ts";
import type { Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

/** What the backward pass needs of the forward's: (N) each. */
export interface LayerNormStatistics {
  mean: Tensor;
  rstd: Tensor;
}

/** y (N, C) = (x - mean) · rstd · weight + bias over each row. */
export function recordLayerNormForward(
  plan: Plan,
  { x, weight, bias, y, mean, rstd }: { x: Tensor; weight: Tensor; bias: Tensor; y: Tensor } & LayerNormStatistics,
  { rows, channels, epsilon }: { rows: number; channels: number; epsilon: number },
): void {
  plan.record(layernormForward, { x, weight, bias, y, mean, rstd }, { rows, channels, epsilon });
}

/**
 * dx (N, C), added to where `accumulate` (the residual stream's gradient) and written where not;
 * dweight += Σ dy · xhat; dbias += Σ dy.
 */
export function recordLayerNormBackward(
  plan: Plan,
  { x, weight, dy, dx, dweight, dbias, mean, rstd }: {
    x: Tensor;
    weight: Tensor;
    dy: Tensor;
    dx: Tensor;
    dweight: Tensor;
    dbias: Tensor;
  } & LayerNormStatistics,
  { rows, channels, accumulate }: { rows: number; channels: number; accumulate: boolean },
): void {
  plan.record(layernormBackwardParameters, { dy, x, mean, rstd, dweight, dbias }, { rows, channels });
  plan.record(layernormBackward, { dy, x, weight, mean, rstd, dx }, { rows, channels, accumulate: Number(accumulate) });
}
