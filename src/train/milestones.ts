import type { RunConfig } from "./config.ts";

/** Work that a step may ask for besides a checkpoint, in the order in which it is done. */
export type Task = "evaluate" | "sample";

type Config = Pick<RunConfig, "eval" | "sample" | "checkpoint" | "max_steps" | "validation_fraction">;

/** The tasks after `step` updates, before a checkpoint. `every: 0` means never. */
export function tasksAt(config: Config, step: number): Task[] {
  const tasks: Task[] = [];
  if (config.validation_fraction > 0 && isMilestone(config, config.eval.every, step)) tasks.push("evaluate");
  if (step > 0 && isMilestone(config, config.sample.every, step)) tasks.push("sample");
  return tasks;
}

/** Whether a checkpoint belongs to `step`, whatever was found there: the first, the last and every `checkpoint.every`. */
export function hasCheckpointAt(config: Config, step: number): boolean {
  return step === 0 || step === config.max_steps || isMilestone(config, config.checkpoint.every, step);
}

/** Steps from `step` to the next at which anything is due; the run's end is one. */
export function stepsToMilestone({ eval: evaluation, checkpoint, sample, max_steps }: Config, step: number): number {
  const intervals = [evaluation.every, checkpoint.every, sample.every].filter((every) => every > 0);
  return Math.min(max_steps - step, ...intervals.map((every) => every - step % every));
}

function isMilestone({ max_steps }: Config, every: number, step: number): boolean {
  return every > 0 && (step % every === 0 || step === max_steps);
}
