import type { Description } from "../model/describe.ts";
import type { RunConfig } from "../train/config.ts";
import type { DeviceInfo } from "../train/protocol.ts";

/** How long a run will take, by arithmetic over what it consists of. */
export interface Estimate {
  secondsPerStep: number;
  /** From the start of the run to its end: its steps, and everything beside them. */
  seconds: number;
}

/**
 * A dispatch costs about as long as this many floating point operations of the measured matrix product. On llvmpipe,
 * steps of 58 ms (S: 3.96 GFLOP, 108 dispatches) and of 776 ms (M: 72.6 GFLOP, 152) ask for 14 million; a card has its
 * next dispatch ready while it works, and only small ones show.
 */
const DISPATCH_FLOPS = { software: 14e6, hardware: 2e6 } as const;
/** The kernels of a generated token have one row each, and cost a third of that. */
const TOKEN_DISPATCH_SHARE = 1 / 3;
/** Compiling kernels and preparing the text. */
const START_SECONDS = { software: 2, hardware: 1 } as const;
/** As `src/train/run_tuning.ts` limits it. */
const TUNING = { seconds: 2.5, shareOfRun: 0.1 } as const;
/** Reading a checkpoint back, hashing it and bringing it to the disk, with its few small files. */
const CHECKPOINT = { seconds: 0.08, bytesPerSecond: 150e6 } as const;

/**
 * @param validationBatches how many batches the whole validation split has
 * @param measuredStepMs what a step of a run of the same shape took on this device, if there was one
 */
export function estimateRun(
  config: RunConfig,
  { flopsPerStep, dispatches, bytes }: Description,
  device: DeviceInfo,
  { validationBatches, measuredStepMs }: { validationBatches: number; measuredStepMs: number | null },
): Estimate | null {
  if (!(device.measured.gflops > 0)) return null;
  const kind = device.software ? "software" : "hardware";
  const secondsFor = (flops: number, dispatched: number) =>
    (flops + dispatched * DISPATCH_FLOPS[kind]) / (1e9 * device.measured.gflops);
  const modelled = secondsFor(flopsPerStep, dispatches.step);
  const secondsPerStep = measuredStepMs === null ? modelled : measuredStepMs / 1000;
  // The rest is slower or faster by as much as the steps were.
  const pace = secondsPerStep / modelled;

  const { batch_size, gradient_accumulation_steps, eval: evaluation, sample, checkpoint, max_steps } = config;
  const batches = Math.min(evaluation.batches ?? Infinity, validationBatches);
  const batch = secondsFor(flopsPerStep / (3 * gradient_accumulation_steps), dispatches.evaluation);
  const windows = batch_size * gradient_accumulation_steps;
  const token = secondsFor(flopsPerStep / (3 * windows), dispatches.token * TOKEN_DISPATCH_SHARE);
  const stepsSeconds = max_steps * secondsPerStep;
  const written = CHECKPOINT.seconds + (bytes.parameters + bytes.optimizer) / CHECKPOINT.bytesPerSecond;
  const seconds = START_SECONDS[kind] + Math.min(TUNING.seconds, TUNING.shareOfRun * stepsSeconds) + stepsSeconds +
    pace * (1 + milestones(max_steps, evaluation.every)) * batches * batch +
    pace * milestones(max_steps, sample.every) * sample.max_tokens * token +
    (1 + Math.max(1, milestones(max_steps, checkpoint.every))) * written;
  return { secondsPerStep, seconds };
}

/** Steps after the first at which something is due that comes every so often, and at the end. */
function milestones(maxSteps: number, every: number): number {
  return every === 0 ? 0 : Math.ceil(maxSteps / every);
}
