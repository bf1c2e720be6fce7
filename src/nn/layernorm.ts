import {
  layernormBackward,
  layernormBackwardDropout,
  layernormBackwardResidual,
  layernormBackwardResidualDropout,
} from "#kernels/layernorm_backward.ts";
import { layernormBackwardParameters } from "#kernels/layernorm_backward_parameters.ts";
import { layernormForward } from "#kernels/layernorm_forward.ts";
import type { Matrix } from "../gpu/matrix.ts";
import type { BufferRange, Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import { type DropoutSite, NO_DROPOUT } from "./linear.ts";

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

/** Where the gradient goes on from a LayerNorm, on top of what flows past the branch that begins with it. */
export interface LayerNormGradient {
  /** (N, C); null where nothing flows past. */
  dresidual: Matrix | null;
  dx: Matrix; // (N, C)
  /** dbranch (N, C) = dropout(dx): what the branch before gets, where it ended in a dropout. */
  dropped: { step: BufferRange; dbranch: Matrix; dropout: DropoutSite } | null;
}

/** dx = dresidual + LayerNorm's gradient; dweight (1, C) += Σ dy · xhat; dbias (1, C) += Σ dy. */
export function recordLayerNormBackward(
  plan: Plan,
  { x, weight, dy, dweight, dbias, mean, rstd }: {
    x: Matrix;
    weight: Matrix;
    dy: Matrix;
    dweight: Matrix;
    dbias: Matrix;
  } & LayerNormStatistics,
  { dresidual, dx, dropped }: LayerNormGradient,
  size: { rows: number; channels: number },
): void {
  plan.record(layernormBackwardParameters, { dy, x, mean, rstd, dweight, dbias }, size);
  const common = { dy, x, weight, mean, rstd, dx };
  const dims = { ...size, ...(dropped?.dropout ?? NO_DROPOUT) };
  if (dropped) {
    const { step, dbranch } = dropped;
    if (dresidual) plan.record(layernormBackwardResidualDropout, { ...common, step, dresidual, dbranch }, dims);
    else plan.record(layernormBackwardDropout, { ...common, step, dbranch }, dims);
  } else if (dresidual) plan.record(layernormBackwardResidual, { ...common, dresidual }, dims);
  else plan.record(layernormBackward, common, dims);
}
