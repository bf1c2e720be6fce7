import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_backward_parameters.wgsl" with { type: "text" };
import { columnVariants } from "./shared/columns.ts";

/** dweight, dbias (1, C) += LayerNorm's, from dy, x (N, C). */
export const layernormBackwardParameters = defineKernel({
  name: "layernorm_backward_parameters",
  source,
  bindings: {
    dy: "matrix",
    x: "matrix",
    mean: "read",
    rstd: "read",
    dweight: "matrix_add",
    dbias: "matrix_add",
  },
  dims: { rows: "u32", channels: "u32" },
  variants: columnVariants(),
  cost: ({ rows, channels }) => ({ flops: 5 * rows * channels, bytes: 8 * rows * channels }),
});
