import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./select_row.wgsl" with { type: "text" };

/** y (C) = x (T, C) at the context's last token. */
export const selectRow = defineKernel({
  name: "select_row",
  source,
  bindings: { state: "read", x: "read", y: "read_write" },
  dims: { channels: "u32" },
  variants: [{ name: "elementwise", workgroups: ({ channels }) => Math.ceil(channels / 64) }],
  cost: ({ channels }) => ({ flops: 0, bytes: 8 * channels }),
});
