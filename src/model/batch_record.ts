import { STEP_BYTES } from "#kernels/shared/step.ts";
import type { BufferRange } from "../gpu/memory.ts";
import { align } from "../gpu/sizes.ts";
import type { BatchTensors } from "./gpt2.ts";

/**
 * A micro-batch as one run of bytes: the step's values and the four index arrays, each on a binding's alignment, so
 * that one copy brings it from the burst's staging buffer to where the plan reads.
 */
export interface RecordLayout {
  /** Byte offsets. */
  step: number;
  inputs: number;
  targets: number;
  order: number;
  segments: number;
  bytes: number;
}

export function recordLayout(rows: number): RecordLayout {
  const array = align(4 * rows);
  const inputs = align(STEP_BYTES);
  const [targets, order, segments] = [inputs + array, inputs + 2 * array, inputs + 3 * array];
  return { step: 0, inputs, targets, order, segments, bytes: segments + align(4 * (rows + 1)) };
}

/** The record at the start of `buffer`, as the model's plans bind it. */
export function recordTensors(buffer: GPUBuffer, rows: number): Omit<BatchTensors, "loss_scale"> {
  const layout = recordLayout(rows);
  const range = (offset: number, size: number): BufferRange => ({ buffer, offset, size });
  return {
    step: range(layout.step, STEP_BYTES),
    inputs: range(layout.inputs, 4 * rows),
    targets: range(layout.targets, 4 * rows),
    order: range(layout.order, 4 * rows),
    segments: range(layout.segments, 4 * (rows + 1)),
  };
}

const STAGING_BYTES = 16 * 2 ** 20;
const MOST_STAGED = 64;

/** Micro-batches that one upload holds: at least a whole step's. */
export function stagedRecords(rows: number, gradientAccumulationSteps: number): number {
  const fitting = Math.min(MOST_STAGED, Math.floor(STAGING_BYTES / recordLayout(rows).bytes));
  return Math.max(fitting, gradientAccumulationSteps);
}
