import { type BufferAccess, defineKernel, matrixNames } from "#src/gpu/kernel.ts";
import type { MatrixAccess } from "#src/gpu/matrix.ts";
import source from "./layernorm_backward.wgsl" with { type: "text" };
import { dropoutSource } from "./shared/dropout.ts";
import { rowVariants } from "./shared/rows.ts";
import step from "./shared/step.wgsl" with { type: "text" };

const inputs = { dy: "matrix", x: "matrix", weight: "matrix", mean: "read", rstd: "read" } as const;
type Dims = Record<"rows" | "channels" | "site" | "dropout", number>;

const ALONE = `
fn before(row: u32, column: u32) -> vec4<f32> { return vec4(0.0); }`;
const RESIDUAL = `
fn before(row: u32, column: u32) -> vec4<f32> { return load_dresidual(row, column); }`;
const STORE = `
fn finish(row: u32, column: u32, value: vec4<f32>) { store_dx(row, column, value); }
`;
/** What the branch before it gets of a gradient on its way down: that branch ended in a dropout. */
const STORE_AND_DROP = `
@group(0) @binding(6) var<uniform> step: Step;
const DROPOUT = 1u;
fn finish(row: u32, column: u32, value: vec4<f32>) {
  store_dx(row, column, value);
  store_dbranch(row, column, value * dropout_factors(dims.dropout, step.seed, dims.site, row, column));
}
${dropoutSource}${step}`;

/** @param more bindings beside LayerNorm's own inputs: where dx comes from and goes */
function layernorm<B extends string>(name: string, hooks: string, more: Record<B, MatrixAccess | BufferAccess>) {
  const bindings = { ...inputs, ...more };
  /** dy and x, and what is bound beside them. */
  const large = 2 + matrixNames(more).length;
  return defineKernel<keyof typeof inputs | B, keyof Dims>({
    name,
    source: source + hooks,
    bindings,
    dims: { rows: "u32", channels: "u32", site: "u32", dropout: "f32" },
    variants: rowVariants(({ channels }: Dims) => channels),
    cost: ({ rows, channels }) => ({ flops: 15 * rows * channels, bytes: 4 * large * rows * channels }),
  });
}

/** dx (N, C) of LayerNorm. */
export const layernormBackward = layernorm("layernorm_backward", ALONE + STORE, { dx: "matrix_write" });

/** dx (N, C) = dresidual (N, C), which flows past a branch, + LayerNorm's. */
export const layernormBackwardResidual = layernorm("layernorm_backward_residual", RESIDUAL + STORE, {
  dresidual: "matrix",
  dx: "matrix_write",
});

/** As `layernormBackward`, and dbranch (N, C) = dropout(dx). */
export const layernormBackwardDropout = layernorm("layernorm_backward_dropout", ALONE + STORE_AND_DROP, {
  step: "uniform",
  dx: "matrix_write",
  dbranch: "matrix_write",
});

/** As `layernormBackwardResidual`, and dbranch (N, C) = dropout(dx). */
export const layernormBackwardResidualDropout = layernorm(
  "layernorm_backward_residual_dropout",
  RESIDUAL + STORE_AND_DROP,
  { step: "uniform", dresidual: "matrix", dx: "matrix_write", dbranch: "matrix_write" },
);
