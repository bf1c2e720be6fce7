import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./layernorm_backward_parameters.wgsl" with { type: "text" };

/** dweight, dbias (C) += LayerNorm's, from dy, x (N, C). */
export const layernormBackwardParameters = defineKernel({
  name: "layernorm_backward_parameters",
  source,
  bindings: { dy: "read", x: "read", mean: "read", rstd: "read", dweight: "read_write", dbias: "read_write" },
  dims: { rows: "u32", channels: "u32" },
  variants: [{ name: "8 channels a workgroup", workgroups: ({ channels }) => Math.ceil(channels / 8) }],
  cost: ({ rows, channels }) => ({ flops: 5 * rows * channels, bytes: 8 * rows * channels }),
});
