import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_forward.wgsl" with { type: "text" };
import { rowVariants } from "./shared/rows.ts";

/** y (N, C) = LayerNorm(x); keeps mean and rstd (N) for the backward pass. */
export const layernormForward = defineKernel({
  name: "layernorm_forward",
  source,
  bindings: {
    x: "matrix",
    weight: "matrix",
    bias: "matrix",
    y: "matrix_write",
    mean: "read_write",
    rstd: "read_write",
  },
  dims: { rows: "u32", channels: "u32", epsilon: "f32" },
  variants: rowVariants(({ channels }: Record<"rows" | "channels", number>) => channels),
  cost: ({ rows, channels }) => ({ flops: 8 * rows * channels, bytes: 8 * rows * channels }),
});
