import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_backward.wgsl" with { type: "text" };
import { rowVariants } from "./shared/rows.ts";

const inputs = { dy: "matrix", x: "matrix", weight: "matrix", mean: "read", rstd: "read" } as const;
const dims = { rows: "u32", channels: "u32" } as const;

/** dx (N, C) of LayerNorm. */
export const layernormBackward = defineKernel({
  name: "layernorm_backward",
  source: source + "\nfn before(row: u32, column: u32) -> vec4<f32> { return vec4(0.0); }\n",
  bindings: { ...inputs, dx: "matrix_write" },
  dims,
  variants: rowVariants(({ channels }: Record<"rows" | "channels", number>) => channels),
  cost: ({ rows, channels }) => ({ flops: 14 * rows * channels, bytes: 12 * rows * channels }),
});

/** dx (N, C) = dresidual (N, C), which flows past a branch, + LayerNorm's. */
export const layernormBackwardResidual = defineKernel({
  name: "layernorm_backward_residual",
  source: source + "\nfn before(row: u32, column: u32) -> vec4<f32> { return load_dresidual(row, column); }\n",
  bindings: { ...inputs, dresidual: "matrix", dx: "matrix_write" },
  dims,
  variants: rowVariants(({ channels }: Record<"rows" | "channels", number>) => channels),
  cost: ({ rows, channels }) => ({ flops: 15 * rows * channels, bytes: 16 * rows * channels }),
});
