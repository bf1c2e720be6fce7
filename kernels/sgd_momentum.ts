import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./sgd_momentum.wgsl" with { type: "text" };
import finite from "./shared/finite.wgsl" with { type: "text" };
import { runVariants } from "./shared/runs.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** One step of gradient descent with momentum over a run of the parameter arena. */
export const sgdMomentum = defineKernel({
  name: "sgd_momentum",
  source: source + finite + step,
  bindings: { step: "uniform", norm: "read", gradients: "read", parameters: "read_write", velocity: "read_write" },
  dims: { vectors: "u32", momentum: "f32" },
  variants: runVariants(),
  cost: ({ vectors }) => ({ flops: 20 * vectors, bytes: 80 * vectors }),
});
