import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./cross_entropy.wgsl" with { type: "text" };
import { rowVariants } from "./shared/rows.ts";
import step from "./shared/step.wgsl" with { type: "text" };

const inputs = { step: "uniform", targets: "read", loss_scale: "read", losses: "read_write" } as const;
const dims = { rows: "u32", vocabulary: "u32", gradient: "u32" } as const;
const variants = rowVariants(({ vocabulary }: Record<"rows" | "vocabulary", number>) => vocabulary);
const cost = ({ rows, vocabulary }: Record<"rows" | "vocabulary", number>) => ({
  flops: 8 * rows * vocabulary,
  bytes: 8 * rows * vocabulary,
});
const storing = (matrix: string) =>
  `\nfn store_gradient(row: u32, column: u32, value: vec4<f32>) { store_${matrix}(row, column, value); }\n`;

/** losses (R) from logits (R, V) in a buffer, which become their own gradient. */
export const crossEntropy = defineKernel({
  name: "cross_entropy",
  source: source + step + storing("logits"),
  bindings: { ...inputs, logits: "matrix_add" },
  dims,
  variants,
  cost,
});

/** losses (R) and dlogits (R, V) from logits (R, V): where those are in textures, which are never read and written. */
export const crossEntropyTextures = defineKernel({
  name: "cross_entropy_textures",
  source: source + step + storing("dlogits"),
  bindings: { ...inputs, logits: "matrix", dlogits: "matrix_write" },
  dims,
  variants,
  cost,
});
