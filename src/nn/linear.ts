import { geluForward } from "#kernels/elementwise.ts";
import {
  matmulBias,
  matmulBiasGelu,
  matmulBiasResidual,
  matmulNT,
  matmulNTGelu,
  matmulTN,
  matmulTNBias,
} from "#kernels/matmul.ts";
import type { Matrix } from "../gpu/matrix.ts";
import type { BufferRange } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

export interface LinearDims {
  /** N = B · T. */
  rows: number;
  inputs: number;
  outputs: number;
}

/** Which dropout of the model this is (distinct sites draw distinct masks), and its rate. */
export interface DropoutSite {
  site: number;
  dropout: number;
}

export const NO_DROPOUT: DropoutSite = { site: 0, dropout: 0 };

interface Layer {
  x: Matrix; // (N, inputs)
  weight: Matrix; // (inputs, outputs)
  bias: Matrix; // (1, outputs)
  y: Matrix; // (N, outputs)
}

/** y = x · weight + bias. */
export function recordLinear(plan: Plan, { x, weight, bias, y }: Layer, dims: LinearDims): void {
  plan.record(matmulBias, { a: x, b: weight, bias, c: y }, { ...forward(dims), ...NO_DROPOUT });
}

/** hidden (N, outputs) = x · weight + bias, y = GELU(hidden). */
export function recordLinearGelu(
  plan: Plan,
  { x, weight, bias, hidden, y }: Layer & { hidden: Matrix },
  dims: LinearDims,
): void {
  // On llvmpipe the epilogue's code, unrolled for each vec4 of a tile, costs more than a kernel of its own.
  if (plan.gpu.identity.software) {
    recordLinear(plan, { x, weight, bias, y: hidden }, dims);
    plan.record(geluForward, { x: hidden, y }, { rows: dims.rows, columns: dims.outputs });
  } else plan.record(matmulBiasGelu, { a: x, b: weight, bias, hidden, c: y }, { ...forward(dims), ...NO_DROPOUT });
}

/** y = residual (N, outputs) + dropout(x · weight + bias). */
export function recordLinearResidual(
  plan: Plan,
  { step, x, weight, bias, residual, y }: Layer & { step: BufferRange; residual: Matrix },
  dims: LinearDims,
  dropout: DropoutSite,
): void {
  plan.record(matmulBiasResidual, { step, a: x, b: weight, bias, residual, c: y }, { ...forward(dims), ...dropout });
}

/** dx (N, inputs) = dy · weightᵀ, times GELU'(hidden) where x came out of a GELU. */
export function recordLinearBackwardInput(
  plan: Plan,
  { dy, weight, hidden, dx }: { dy: Matrix; weight: Matrix; hidden?: Matrix; dx: Matrix },
  { rows, inputs, outputs }: LinearDims,
): void {
  const dims = { m: rows, n: inputs, k: outputs, ...NO_DROPOUT };
  if (hidden) plan.record(matmulNTGelu, { a: dy, b: weight, hidden, c: dx }, dims);
  else plan.record(matmulNT, { a: dy, b: weight, c: dx }, dims);
}

/** dweight (inputs, outputs) += xᵀ · dy; dbias (1, outputs) += Σ dy, where the layer has a bias. */
export function recordLinearBackwardParameters(
  plan: Plan,
  { x, dy, dweight, dbias }: { x: Matrix; dy: Matrix; dweight: Matrix; dbias: Matrix | null },
  { rows, inputs, outputs }: LinearDims,
): void {
  const dims = { m: inputs, n: outputs, k: rows, ...NO_DROPOUT };
  if (dbias) plan.record(matmulTNBias, { a: x, b: dy, c: dweight, dbias }, dims);
  else plan.record(matmulTN, { a: x, b: dy, c: dweight }, dims);
}

function forward({ rows, inputs, outputs }: LinearDims): { m: number; n: number; k: number } {
  return { m: rows, n: outputs, k: inputs };
}
