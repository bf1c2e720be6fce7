import { adamw } from "#kernels/adamw.ts";
import { gradientNorm } from "#kernels/gradient_norm.ts";
import { lossScale } from "#kernels/loss_scale.ts";
import { sgd } from "#kernels/sgd.ts";
import { sgdMomentum } from "#kernels/sgd_momentum.ts";
import { sumOfSquares } from "#kernels/sum_of_squares.ts";
import type { BufferRange } from "../gpu/memory.ts";
import type { Plan } from "../gpu/plan.ts";
import { partialCount, VECTOR_BYTES } from "./optimizer_sizes.ts";

/** norm (2) = the L2 norm over all `gradients`, and the factor that unscales it and clips it to `clip` (0: none). */
export function recordGradientNorm(
  plan: Plan,
  { gradients, partials, loss_scale, norm }: {
    gradients: readonly BufferRange[];
    partials: BufferRange;
    loss_scale: BufferRange;
    norm: BufferRange;
  },
  clip: number,
): void {
  let first = 0;
  for (const x of gradients) {
    plan.record(sumOfSquares, { x, partials }, { vectors: x.size / VECTOR_BYTES, first_partial: first });
    first += partialCount([x.size]);
  }
  plan.record(gradientNorm, { partials, loss_scale, norm }, { partials: first, clip });
}

/** Finite steps in a row after which the loss scale doubles; PyTorch's. */
const GROWTH_INTERVAL = 2000;

/** Adjusts the factor on f16 gradients after an update, by whether its norm was finite. */
export function recordLossScale(
  plan: Plan,
  { norm, loss_scale }: { norm: BufferRange; loss_scale: BufferRange },
): void {
  plan.record(lossScale, { norm, loss_scale }, { interval: GROWTH_INTERVAL });
}

/** A run of the arenas that one dispatch updates. */
export interface OptimizerRegion {
  decay: boolean;
  parameters: BufferRange;
  gradients: BufferRange;
  /** AdamW: first and second moments. SGD with momentum: the velocity. SGD: none. */
  moments: readonly BufferRange[];
}

export interface OptimizerSettings {
  kind: "adamw" | "sgd";
  beta1: number;
  beta2: number;
  epsilon: number;
  weight_decay: number;
  momentum: number;
}

/** One update of every region by clipped gradients; skipped whole where the norm is not finite. */
export function recordUpdate(
  plan: Plan,
  { step, norm, regions }: { step: BufferRange; norm: BufferRange; regions: readonly OptimizerRegion[] },
  settings: OptimizerSettings,
): void {
  const { beta1, beta2, epsilon, weight_decay, momentum } = settings;
  for (const { decay, parameters, gradients, moments } of regions) {
    const vectors = parameters.size / VECTOR_BYTES;
    if (settings.kind === "adamw") {
      const [first_moments, second_moments] = moments;
      plan.record(
        adamw,
        { step, norm, gradients, parameters, first_moments, second_moments },
        {
          vectors,
          beta1,
          beta2,
          one_minus_beta1: 1 - beta1,
          one_minus_beta2: 1 - beta2,
          epsilon,
          weight_decay: decay ? weight_decay : 0,
        },
      );
    } else if (momentum > 0) {
      const [velocity] = moments;
      plan.record(sgdMomentum, { step, norm, gradients, parameters, velocity }, { vectors, momentum });
    } else {
      plan.record(sgd, { step, norm, gradients, parameters }, { vectors });
    }
  }
}
