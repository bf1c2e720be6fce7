import { defineKernel } from "#src/gpu/kernel.ts";
import { MATMUL_DIMS, matmulCost, type MatmulDims, SOFTWARE_TILE, tileWorkgroups } from "./matmul.ts";
import { emitVectorBody, type Form } from "./matmul_emitter.ts";
import source from "./matmul_textures.wgsl" with { type: "text" };

/** Whether operands may be copied into textures and read as vec4s: rows of whole 256-byte lines, k of whole vec4s. */
export function fitsTextures({ a_stride, b_stride, c_stride, k }: Record<MatmulDims, number>): boolean {
  return a_stride % 64 === 0 && b_stride % 64 === 0 && c_stride % 4 === 0 && k % 4 === 0;
}

const variant = (form: Form, bias: boolean) => ({
  name: "textures",
  constants: ({ accumulate }: Record<MatmulDims, number>) => ({ ACCUMULATE: accumulate }),
  body: () => emitVectorBody(form, SOFTWARE_TILE, bias, "textures"),
  workgroups: tileWorkgroups(SOFTWARE_TILE),
});

function matmul(name: string, form: Form) {
  return defineKernel({
    name,
    source,
    bindings: { a: "texture", b: "texture", c: "read_write" },
    dims: MATMUL_DIMS,
    variants: [variant(form, false)],
    cost: matmulCost,
  });
}

/** As `matmulNN`, `matmulNT`, `matmulTN` and `matmulBias`, for operands that lie in textures and fit them. */
export const matmulTexturesNN = matmul("matmul_textures_nn", "nn");
export const matmulTexturesNT = matmul("matmul_textures_nt", "nt");
export const matmulTexturesTN = matmul("matmul_textures_tn", "tn");
export const matmulTexturesBias = defineKernel({
  name: "matmul_textures_bias",
  source: source.replace("//#body", "@group(0) @binding(4) var<storage, read> bias: array<Element>; // (n)\n//#body"),
  bindings: { a: "texture", b: "texture", c: "read_write", bias: "read" },
  dims: MATMUL_DIMS,
  variants: [variant("nn", true)],
  cost: matmulCost,
});
