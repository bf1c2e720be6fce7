import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./bias_backward.wgsl" with { type: "text" };

/** dbias (C) += dy (N, C) summed over rows. */
export const biasBackward = defineKernel({
  name: "bias_backward",
  source,
  bindings: { dy: "read", dbias: "read_write" },
  dims: { rows: "u32", channels: "u32" },
  variants: [{ name: "8 channels a workgroup", workgroups: ({ channels }) => Math.ceil(channels / 8) }],
  cost: ({ rows, channels }) => ({ flops: rows * channels, bytes: 4 * rows * channels }),
});
