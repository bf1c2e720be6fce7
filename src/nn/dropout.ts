import { dropout as dropoutKernel } from "#kernels/dropout.ts";
import type { Matrix } from "../gpu/matrix.ts";
import type { BufferRange } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import type { DropoutSite } from "./linear.ts";

/** y (N, C) = dropout(x): the forward pass and, on the gradient, the backward pass. */
export function recordDropout(
  plan: Plan,
  { step, x, y }: { step: BufferRange; x: Matrix; y: Matrix },
  dims: { rows: number; channels: number } & DropoutSite,
): void {
  plan.record(dropoutKernel, { step, x, y }, dims);
}
