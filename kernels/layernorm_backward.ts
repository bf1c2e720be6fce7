import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_backward.wgsl" with { type: "text" };
import { dropoutSource } from "./shared/dropout.ts";
import { rowVariants } from "./shared/rows.ts";
import step from "./shared/step.wgsl" with { type: "text" };

const inputs = { dy: "matrix", x: "matrix", weight: "matrix", mean: "read", rstd: "read" } as const;
const dims = { rows: "u32", channels: "u32", site: "u32", dropout: "f32" } as const;
const variants = rowVariants(({ channels }: Record<"rows" | "channels" | "site" | "dropout", number>) => channels);
const cost = (matrices: number) => ({ rows, channels }: Record<"rows" | "channels", number>) => ({
  flops: 15 * rows * channels,
  bytes: 4 * matrices * rows * channels,
});

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

/** dx (N, C) of LayerNorm. */
export const layernormBackward = defineKernel({
  name: "layernorm_backward",
  source: source + ALONE + STORE,
  bindings: { ...inputs, dx: "matrix_write" },
  dims,
  variants,
  cost: cost(3),
});

/** dx (N, C) = dresidual (N, C), which flows past a branch, + LayerNorm's. */
export const layernormBackwardResidual = defineKernel({
  name: "layernorm_backward_residual",
  source: source + RESIDUAL + STORE,
  bindings: { ...inputs, dresidual: "matrix", dx: "matrix_write" },
  dims,
  variants,
  cost: cost(4),
});

/** As `layernormBackward`, and dbranch (N, C) = dropout(dx). */
export const layernormBackwardDropout = defineKernel({
  name: "layernorm_backward_dropout",
  source: source + ALONE + STORE_AND_DROP,
  bindings: { ...inputs, step: "uniform", dx: "matrix_write", dbranch: "matrix_write" },
  dims,
  variants,
  cost: cost(4),
});

/** As `layernormBackwardResidual`, and dbranch (N, C) = dropout(dx). */
export const layernormBackwardResidualDropout = defineKernel({
  name: "layernorm_backward_residual_dropout",
  source: source + RESIDUAL + STORE_AND_DROP,
  bindings: { ...inputs, step: "uniform", dresidual: "matrix", dx: "matrix_write", dbranch: "matrix_write" },
  dims,
  variants,
  cost: cost(5),
});
