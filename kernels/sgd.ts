import { defineKernel } from "#src/gpu/kernel.ts";
import source from "./sgd.wgsl" with { type: "text" };
import finite from "./shared/finite.wgsl" with { type: "text" };
import { runVariants } from "./shared/runs.ts";
import step from "./shared/step.wgsl" with { type: "text" };

/** One step of gradient descent over a run of the parameter arena. */
export const sgd = defineKernel({
  name: "sgd",
  source: source + finite + step,
  bindings: { step: "uniform", norm: "read", gradients: "read", parameters: "read_write" },
  dims: { vectors: "u32" },
  variants: runVariants(),
  cost: ({ vectors }) => ({ flops: 12 * vectors, bytes: 48 * vectors }),
});
