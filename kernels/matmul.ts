import { defineKernel, type Variant } from "#src/gpu/kernel.ts";
import source from "./matmul.wgsl" with { type: "text" };
import { emitScalarBody, emitVectorBody, type Form, type Tile } from "./matmul_emitter.ts";

export type MatmulDims = "m" | "n" | "k" | "a_stride" | "b_stride" | "c_stride" | "accumulate";
export const MATMUL_DIMS = {
  m: "u32",
  n: "u32",
  k: "u32",
  a_stride: "u32",
  b_stride: "u32",
  c_stride: "u32",
  accumulate: "u32",
} as const;

/** Near the fastest of eleven on llvmpipe, 16×16, at a fifth of its time to compile: docs/log.md. */
export const SOFTWARE_TILE: Tile = { rows: 8, columns: 16, width: 8, height: 1 };
/** Small enough for a card's registers. */
const CARD_TILE: Tile = { rows: 4, columns: 4, width: 8, height: 8 };

export function tileWorkgroups({ rows, columns, width, height }: Tile) {
  return ({ m, n }: { m: number; n: number }) => Math.ceil(m / (rows * height)) * Math.ceil(n / (columns * width));
}

/** The variants of one form, best first. */
export function matmulVariants(form: Form, bias: boolean, software = SOFTWARE_TILE): Variant<MatmulDims>[] {
  const aligned = ({ a_stride, b_stride, c_stride }: Record<MatmulDims, number>) =>
    a_stride % 4 === 0 && b_stride % 4 === 0 && c_stride % 4 === 0;
  const constants = ({ accumulate }: Record<MatmulDims, number>) => ({ ACCUMULATE: accumulate });
  const name = ({ rows, columns, width, height }: Tile) => `${rows}×${columns} by ${width}×${height}`;
  return [
    {
      name: `vec4 ${name(software)}`,
      when: (dims, adapter) => adapter.software && aligned(dims),
      constants,
      body: () => emitVectorBody(form, software, bias),
      workgroups: tileWorkgroups(software),
    },
    {
      name: `vec4 ${name(CARD_TILE)}`,
      when: aligned,
      constants,
      body: () => emitVectorBody(form, CARD_TILE, bias),
      workgroups: tileWorkgroups(CARD_TILE),
    },
    {
      name: `scalar ${name(CARD_TILE)}`,
      constants,
      body: () => emitScalarBody(form, CARD_TILE, bias),
      workgroups: tileWorkgroups(CARD_TILE),
    },
  ];
}

export const matmulCost = ({ m, n, k }: Record<MatmulDims, number>) => ({
  flops: 2 * m * n * k,
  bytes: 4 * (m * k + k * n + m * n),
});

function matmul(name: string, form: Form) {
  return defineKernel({
    name,
    source,
    bindings: { a: "read", b: "read", c: "read_write" },
    dims: MATMUL_DIMS,
    variants: matmulVariants(form, false),
    cost: matmulCost,
  });
}

/** c (m, n) (+)= a (m, k) · b (k, n). */
export const matmulNN = matmul("matmul_nn", "nn");
/** c (m, n) (+)= a (m, k) · b (n, k)ᵀ: the gradient of a linear layer's input, and the tied head's logits. */
export const matmulNT = matmul("matmul_nt", "nt");
/** c (m, n) (+)= a (k, m)ᵀ · b (k, n): the gradient of a linear layer's weight. */
export const matmulTN = matmul("matmul_tn", "tn");

/** c (m, n) = a (m, k) · b (k, n) + bias (n): a linear layer, its weight stored (in, out). */
export const matmulBias = defineKernel({
  name: "matmul_bias",
  source: source.replace("//#body", "@group(0) @binding(4) var<storage, read> bias: array<Element>; // (n)\n//#body"),
  bindings: { a: "read", b: "read", c: "read_write", bias: "read" },
  dims: MATMUL_DIMS,
  variants: matmulVariants("nn", true),
  cost: matmulCost,
});
