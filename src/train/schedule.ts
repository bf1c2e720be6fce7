import type { RunConfig } from "./config.ts";

/** The last fifth of a `wsd` run decays (Hu et al., MiniCPM: warm up, stay, decay). */
const WSD_DECAY_FRACTION = 0.2;

/**
 * The learning rate of update `step` (1 … max_steps). Warm-up is linear and reaches the peak at `warmup_steps`;
 * cosine and linear then fall to `min_learning_rate` at `max_steps`.
 */
export function learningRate(
  { optimizer, max_steps }: Pick<RunConfig, "optimizer" | "max_steps">,
  step: number,
): number {
  const { learning_rate: peak, min_learning_rate: least, warmup_steps: warmup, schedule } = optimizer;
  if (step <= warmup) return peak * step / warmup;
  const fall = (from: number) => max_steps > from ? Math.max(0, step - from) / (max_steps - from) : 1;
  switch (schedule) {
    case "constant":
      return peak;
    case "cosine":
      return least + (peak - least) * 0.5 * (1 + Math.cos(Math.PI * fall(warmup)));
    case "linear":
      return peak + (least - peak) * fall(warmup);
    case "wsd":
      return peak + (least - peak) * fall(Math.max(warmup, Math.floor(max_steps * (1 - WSD_DECAY_FRACTION))));
  }
}
