import { matmulBias, type MatmulDims, matmulNN, matmulNT, matmulTN } from "#kernels/matmul.ts";
import {
  fitsTextures,
  matmulTexturesBias,
  matmulTexturesNN,
  matmulTexturesNT,
  matmulTexturesTN,
} from "#kernels/matmul_textures.ts";
import type { BufferRange, Memory, TextureOperand } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";

/** Scratch that matmuls of a software adapter copy their operands into: reading is what costs there. */
export interface OperandTextures {
  a: TextureOperand;
  b: TextureOperand;
}

/** Both, of that many texels, on an adapter that reads them faster than buffers; elsewhere null. */
export function operandTextures(memory: Memory, texels: { width: number; height: number }): OperandTextures | null {
  if (!memory.gpu.identity.software) return null;
  const texture = (name: string) => memory.texture("activations", name, texels);
  return { a: texture("operand a"), b: texture("operand b") };
}

const BUFFERS = { nn: matmulNN, nt: matmulNT, tn: matmulTN };
const TEXTURES = { nn: matmulTexturesNN, nt: matmulTexturesNT, tn: matmulTexturesTN };

export interface MatmulOperands {
  a: BufferRange;
  b: BufferRange;
  c: BufferRange;
  /** (n), with form `nn` alone. */
  bias?: BufferRange;
}

/**
 * c (m, n) (+)= a · b, either transposed as the form says (see `kernels/matmul.ts`), through `textures` where there are
 * some and the operands fit them.
 */
export function recordMatmul(
  plan: Plan,
  form: "nn" | "nt" | "tn",
  { a, b, c, bias }: MatmulOperands,
  dims: Record<MatmulDims, number>,
  textures: OperandTextures | null,
): void {
  const inA = { rows: form === "tn" ? dims.k : dims.m, columns: dims.a_stride };
  const inB = { rows: form === "nt" ? dims.n : dims.k, columns: dims.b_stride };
  if (textures && fitsTextures(dims) && holds(textures.a, inA) && holds(textures.b, inB)) {
    plan.copyToTexture(a, textures.a, inA);
    plan.copyToTexture(b, textures.b, inB);
    if (bias) plan.record(matmulTexturesBias, { ...textures, c, bias }, dims);
    else plan.record(TEXTURES[form], { ...textures, c }, dims);
  } else if (bias) plan.record(matmulBias, { a, b, c, bias }, dims);
  else plan.record(BUFFERS[form], { a, b, c }, dims);
}

function holds({ texture }: TextureOperand, { rows, columns }: { rows: number; columns: number }): boolean {
  return rows <= texture.height && columns / 4 <= texture.width;
}
