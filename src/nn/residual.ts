import { dropout } from "#kernels/dropout.ts";
import { residualForward } from "#kernels/residual_forward.ts";
import type { BufferRange, Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

export interface DropoutDims {
  rows: number;
  channels: number;
  /** Which dropout of the model this is: distinct sites draw distinct masks. */
  site: number;
  dropout: number;
}

/** y (N, C) = x + dropout(branch). */
export function recordResidualForward(
  plan: Plan,
  { step, x, branch, y }: { step: BufferRange; x: Tensor; branch: Tensor; y: Tensor },
  { rows, channels, site, dropout }: DropoutDims,
): void {
  plan.record(residualForward, { step, x, branch, y }, { elements: rows * channels, channels, site, dropout });
}

/** y (N, C) = dropout(x): the forward pass and, on the gradient, the backward pass. */
export function recordDropout(
  plan: Plan,
  { step, x, y }: { step: BufferRange; x: Tensor; y: Tensor },
  dims: DropoutDims,
): void {
  const { rows, channels, site } = dims;
  plan.record(dropout, { step, x, y }, { elements: rows * channels, channels, site, dropout: dims.dropout });
}
