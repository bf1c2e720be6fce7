import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./position_backward.wgsl" with { type: "text" };
import { tileVariants } from "./shared/tiles.ts";

type Size = Record<"context" | "channels", number>;

/** dpositions (T, C) += dx (B · T, C) summed over the batch. */
export const positionBackward = defineKernel({
  name: "position_backward",
  source,
  bindings: { dx: "matrix", dpositions: "matrix_add" },
  dims: { batch: "u32", context: "u32", channels: "u32" },
  variants: tileVariants(({ context, channels }: Size) => ({ rows: context, columns: channels })),
  cost: ({ batch, context, channels }) => ({
    flops: batch * context * channels,
    bytes: 4 * (batch + 2) * context * channels,
  }),
});
