import { z } from "zod";

const count = z.int().min(0);

/**
 * Everything that a run remembers beside its weights, its moments and its step. The loop owns one such value, and a
 * checkpoint carries it, so that a run resumes in the middle of a milestone as if nobody had stopped it.
 */
export const Progress = z.object({
  /** Training windows consumed. */
  position: count,
  /** Targets trained on. */
  tokens_seen: count,
  skipped_steps: count,
  /** The skipped steps since the last step that was not skipped. */
  skipped_in_a_row: count.default(0),
  /** The loss of the last step; null before the first, and if it was not finite. */
  train_loss: z.number().nullable().default(null),
  /** The validation loss of this very step; null if this step was not evaluated. */
  val_loss: z.number().nullable().default(null),
  /** The lowest validation loss so far, and the first step that reached it. */
  best: z.object({ step: count, val_loss: z.number() }).nullable().default(null),
  /** Tasks that were due at this step and are not yet done. */
  owed: z.array(z.enum(["evaluate", "sample"])).default([]),
});
export type Progress = z.output<typeof Progress>;

/** Before the first step. */
export function noProgress(): Progress {
  return Progress.parse({ position: 0, tokens_seen: 0, skipped_steps: 0 });
}
