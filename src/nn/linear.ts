import { biasBackward } from "#kernels/bias_backward.ts";
import type { Tensor } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import { type OperandTextures, recordMatmul } from "./matmul.ts";

export interface LinearDims {
  /** N = B · T. */
  rows: number;
  inputs: number;
  outputs: number;
}

/** y (N, outputs) = x (N, inputs) · weight (inputs, outputs) + bias (outputs). */
export function recordLinearForward(
  plan: Plan,
  { x, weight, bias, y }: { x: Tensor; weight: Tensor; bias: Tensor; y: Tensor },
  { rows, inputs, outputs }: LinearDims,
  textures: OperandTextures | null,
): void {
  recordMatmul(plan, "nn", { a: x, b: weight, c: y, bias }, {
    m: rows,
    n: outputs,
    k: inputs,
    a_stride: inputs,
    b_stride: outputs,
    c_stride: outputs,
    accumulate: 0,
  }, textures);
}

/** dx = dy · weightᵀ; dweight += xᵀ · dy; dbias += Σ dy, where the layer has a bias. */
export function recordLinearBackward(
  plan: Plan,
  { x, weight, dy, dx, dweight, dbias }: {
    x: Tensor;
    weight: Tensor;
    dy: Tensor;
    dx: Tensor;
    dweight: Tensor;
    dbias: Tensor | null;
  },
  { rows, inputs, outputs }: LinearDims,
  textures: OperandTextures | null,
): void {
  recordMatmul(plan, "nt", { a: dy, b: weight, c: dx }, {
    m: rows,
    n: inputs,
    k: outputs,
    a_stride: outputs,
    b_stride: outputs,
    c_stride: inputs,
    accumulate: 0,
  }, textures);
  recordMatmul(plan, "tn", { a: x, b: dy, c: dweight }, {
    m: inputs,
    n: outputs,
    k: rows,
    a_stride: inputs,
    b_stride: outputs,
    c_stride: outputs,
    accumulate: 1,
  }, textures);
  if (dbias) plan.record(biasBackward, { dy, dbias }, { rows, channels: outputs });
}
