import { type AdapterTraits, type BufferAccess, defineKernel, type Variant } from "#src/gpu/kernel.ts";
import type { MatrixAccess } from "#src/gpu/matrix.ts";
import source from "./matmul.wgsl" with { type: "text" };
import { emitMatmul, type Form, type Product, type Tile } from "./matmul_emitter.ts";
import { emitSlabMatmul, slabBlock, type SlabTile } from "./matmul_slab_emitter.ts";
import { dropoutConstant, dropoutSource } from "./shared/dropout.ts";
import gelu from "./shared/gelu.wgsl" with { type: "text" };
import step from "./shared/step.wgsl" with { type: "text" };

/**
 * Matrix products, each with what follows it fused as an epilogue: `finish` takes a vec4 of the product, `finish_sum` a
 * vec4 of b's column sums. Operands are stored as the adapter likes (`src/gpu/matrix.ts`).
 */

export type MatmulDims = "m" | "n" | "k" | "site" | "dropout";
const MATMUL_DIMS = { m: "u32", n: "u32", k: "u32", site: "u32", dropout: "f32" } as const;
type Dims = Record<MatmulDims, number>;

interface Tiling {
  name: string;
  /** Worth timing against the others that fit. */
  candidate?: boolean;
  when?(dims: Dims, adapter: AdapterTraits): boolean;
  /** Rows and columns of c for one workgroup. */
  block: { rows: number; columns: number };
  body(product: Product): string;
}

type When = Tiling["when"];

/** Operands from memory to registers. */
function inRegisters(name: string, tile: Tile, when?: When): Tiling {
  const block = { rows: tile.rows * tile.height, columns: tile.columns * tile.width };
  return { name, when, block, body: (product) => emitMatmul({ ...product, tile }) };
}

/** Operands through workgroup memory: 16 KiB and 256 invocations, what every device has. */
function inSlabs(tile: SlabTile, fits: (dims: Dims, filled: number) => boolean): Tiling {
  const block = slabBlock(tile);
  /** Blocks, those not half full left out: a single row of c takes none. */
  const filled = ({ m, n }: Dims) => Math.round(m / block.rows) * Math.round(n / block.columns);
  return {
    name: `${block.rows}×${block.columns} in slabs`,
    candidate: true,
    when: (dims, { software }) => !software && fits(dims, filled(dims)),
    block,
    body: (product) => emitSlabMatmul({ ...product, tile }),
  };
}

function blocksOf({ m, n }: Dims, { rows, columns }: Tiling["block"]): number {
  return Math.ceil(m / rows) * Math.ceil(n / columns);
}

/** Below this many multiply-adds a tile of 8 rows loses less than a large one takes to compile (0.5 s on llvmpipe). */
const WORTH_A_LARGE_TILE = 2 ** 23;
/** Matrices with a side below it are too small, or leave too much of a tile idle. */
const LARGE = 96;

const broadcast = (size: number, rows: number, height: number, fits: (dims: Dims) => boolean): Tiling => ({
  ...inRegisters(
    `${rows}×8 broadcast over ${size} lanes by ${height}`,
    { rows, columns: 8, width: size, height, subgroup: size },
    (dims, { software, subgroupSize }) => software && subgroupSize === size && fits(dims),
  ),
  candidate: true,
});

/**
 * The tilings, best first; docs/log.md has the rates of software adapters', and what those of cards are chosen by: the
 * larger a block, the less it reads, but the fewer there are to keep a card's processors busy.
 */
const tilings = (form: Form): readonly Tiling[] => [
  ...[4, 8, 16].flatMap((size) => [
    broadcast(size, 8, 1, ({ m, n, k }) => Math.min(m, n, k) < LARGE || m * n * k < WORTH_A_LARGE_TILE),
    // Taller ones are faster by up to a tenth, by shape, and take longer to compile, tn's most (0.45, 0.75 and 1.1 s):
    // a tuner may choose them.
    ...(form === "tn" ? [16, 24, 32] : [24, 16, 32]).map((rows) =>
      broadcast(size, rows, rows === 16 ? 4 : 2, () => true)
    ),
  ]),
  inRegisters(
    "8×16 by 8",
    { rows: 8, columns: 16, width: 8, height: 1, subgroup: null },
    (_dims, { software }) => software,
  ),
  inSlabs({ rows: 8, columns: 8, width: 16, height: 16, slices: 1, depth: 8 }, (_dims, filled) => filled >= 256),
  inSlabs({ rows: 8, columns: 8, width: 8, height: 8, slices: 4, depth: 4 }, (_dims, filled) => filled >= 64),
  inSlabs({ rows: 4, columns: 4, width: 8, height: 8, slices: 4, depth: 8 }, ({ k }) => k >= 64),
  inRegisters("4×4 by 8×8", { rows: 4, columns: 4, width: 8, height: 8, subgroup: null }),
];

function variants(product: Product): Variant<MatmulDims>[] {
  return tilings(product.form).map(({ name, when, candidate, block, body }) => ({
    name,
    when,
    candidate,
    constants: dropoutConstant,
    body: () => body(product),
    workgroups: (dims) => blocksOf(dims, block),
  }));
}

const cost = ({ m, n, k }: Dims) => ({ flops: 2 * m * n * k, bytes: 4 * (m * k + k * n + m * n) });

interface Epilogue<B extends string> {
  form: Form;
  /** Beside a and b. */
  bindings: Record<B, MatrixAccess | BufferAccess>;
  finish: string;
  bias?: boolean;
  sum?: boolean;
}

function matmul<B extends string>(
  name: string,
  { form, bindings, finish, bias = false, sum = false }: Epilogue<B>,
) {
  return defineKernel<"a" | "b" | B, MatmulDims>({
    name,
    source: `${source}${finish}\n//#body\n`,
    bindings: { a: "matrix", b: "matrix", ...bindings } as Record<"a" | "b" | B, MatrixAccess | BufferAccess>,
    dims: MATMUL_DIMS,
    shape: ({ m, n, k, dropout }) => `${m}×${n}×${k}${dropout > 0 ? " with dropout" : ""}`,
    variants: variants({ form, bias, sum }),
    cost,
  });
}

const STORE = "fn finish(row: u32, column: u32, value: vec4<f32>) { store_c(row, column, value); }";
const ADD = "fn finish(row: u32, column: u32, value: vec4<f32>) { store_c(row, column, load_c(row, column) + value); }";

/** c (m, n) = a (m, k) · b (k, n). */
export const matmulNN = matmul("matmul_nn", { form: "nn", bindings: { c: "matrix_write" }, finish: STORE });
/** c (m, n) += a (m, k) · b (k, n). */
export const matmulNNAdd = matmul("matmul_nn_add", { form: "nn", bindings: { c: "matrix_add" }, finish: ADD });
/** c (m, n) = a (m, k) · b (n, k)ᵀ: the gradient of a linear layer's input, and the tied head's logits. */
export const matmulNT = matmul("matmul_nt", { form: "nt", bindings: { c: "matrix_write" }, finish: STORE });
/** c (m, n) += a (k, m)ᵀ · b (k, n): the gradient of a weight. */
export const matmulTN = matmul("matmul_tn", { form: "tn", bindings: { c: "matrix_add" }, finish: ADD });

/** As `matmulTN`, and dbias (1, n) += the column sums of b: the gradients of a linear layer's weight and bias. */
export const matmulTNBias = matmul("matmul_tn_bias", {
  form: "tn",
  bindings: { c: "matrix_add", dbias: "matrix_add" },
  sum: true,
  finish: `${ADD}
fn finish_sum(column: u32, value: vec4<f32>) { store_dbias(0u, column, load_dbias(0u, column) + value); }`,
});

/** c (m, n) = a · b + bias (1, n): a linear layer, its weight stored (in, out). */
export const matmulBias = matmul("matmul_bias", {
  form: "nn",
  bindings: { bias: "matrix", c: "matrix_write" },
  bias: true,
  finish: STORE,
});

/** hidden (m, n) = a · b + bias (1, n), and c (m, n) = GELU(hidden). */
export const matmulBiasGelu = matmul("matmul_bias_gelu", {
  form: "nn",
  bindings: { bias: "matrix", hidden: "matrix_write", c: "matrix_write" },
  bias: true,
  finish: `fn finish(row: u32, column: u32, value: vec4<f32>) {
  store_hidden(row, column, value);
  store_c(row, column, gelu(value));
}
${gelu}`,
});

/** c (m, n) = residual (m, n) + dropout(a · b + bias (1, n)): what ends each half of a block. */
export const matmulBiasResidual = matmul("matmul_bias_residual", {
  form: "nn",
  bindings: { step: "uniform", bias: "matrix", residual: "matrix", c: "matrix_write" },
  bias: true,
  finish: `@group(0) @binding(3) var<uniform> step: Step;
fn finish(row: u32, column: u32, value: vec4<f32>) {
  let kept = value * dropout_factors(dims.dropout, step.seed, dims.site, row, column);
  store_c(row, column, load_residual(row, column) + kept);
}
${dropoutSource}${step}`,
});

/** c (m, n) = (a (m, k) · b (n, k)ᵀ) · GELU'(hidden (m, n)): the gradient of what went into a GELU. */
export const matmulNTGelu = matmul("matmul_nt_gelu", {
  form: "nt",
  bindings: { hidden: "matrix", c: "matrix_write" },
  finish: `fn finish(row: u32, column: u32, value: vec4<f32>) {
  store_c(row, column, value * gelu_slope(load_hidden(row, column)));
}
${gelu}`,
});
