import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./adamw.wgsl" with { type: "text" };
import finite from "./shared/finite.wgsl" with { type: "text" };
import { runVariants } from "./shared/runs.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** One AdamW update over a run of the parameter arena. */
export const adamw = defineKernel({
  name: "adamw",
  source: source + finite + step,
  bindings: {
    step: "uniform",
    norm: "read",
    gradients: "read",
    parameters: "read_write",
    first_moments: "read_write",
    second_moments: "read_write",
  },
  dims: {
    vectors: "u32",
    beta1: "f32",
    beta2: "f32",
    one_minus_beta1: "f32",
    one_minus_beta2: "f32",
    epsilon: "f32",
    weight_decay: "f32",
  },
  variants: runVariants(),
  cost: ({ vectors }) => ({ flops: 60 * vectors, bytes: 112 * vectors }),
});
