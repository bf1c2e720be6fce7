import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./select_row.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

/** y (1, C) = x (T, C) at the context's last token. */
export const selectRow = defineKernel({
  name: "select_row",
  source,
  bindings: { state: "read", x: "matrix", y: "matrix_write" },
  dims: { channels: "u32" },
  variants: tileVariants(({ channels }: Record<"channels", number>) => ({ rows: 1, columns: channels })),
  cost: ({ channels }) => ({ flops: 0, bytes: 8 * channels }),
});
