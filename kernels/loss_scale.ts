import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./loss_scale.wgsl" with { type: "text" };
import finite from "./shared/finite.wgsl" with { type: "text" };

/** The factor on f16 gradients for the next step (Micikevicius et al., "Mixed Precision Training"). */
export const lossScale = defineKernel({
  name: "loss_scale",
  source: source + finite,
  bindings: { norm: "read", loss_scale: "read_write" },
  dims: { interval: "u32" },
  variants: [{ name: "one invocation", workgroups: () => 1 }],
  cost: () => ({ flops: 1, bytes: 16 }),
});
