// @ts-check

/** @import { Run } from "./types.d.ts" */

/** A rate that AdamW stands at any size that trains here. */
const SAFE_ADAM_RATE = 3e-3;

/**
 * How a run that failed may go better: a tenth of its learning rate if it diverged. Pure.
 * @param {Run} run
 * @returns {{ label: "diverged" | null, learningRate: number }} its own rate if that was not the reason
 */
export function adviceFor({ config, error, skipped_steps }) {
  const { kind, learning_rate } = config.optimizer;
  const diverged = skipped_steps > 0 || /not finite|diverg/i.test(error ?? "");
  if (!diverged) return { label: null, learningRate: learning_rate };
  const tenth = Number((learning_rate / 10).toPrecision(1));
  return { label: "diverged", learningRate: kind === "sgd" ? tenth : Math.min(tenth, SAFE_ADAM_RATE) };
}
