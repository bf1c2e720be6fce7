/** The uniform that changes from step to step; the layout of `struct Step` in `step.wgsl`. */
export interface StepValues {
  /** Seed of this micro-step's dropout. */
  seed: number;
  /** 1 / targets in the whole batch, so that accumulated gradients are those of the mean loss. */
  inverseTargets: number;
  learningRate: number;
  /** AdamW's bias corrections: 1 - β1^t and 1 - β2^t, t counted from 1. */
  correction1: number;
  correction2: number;
}

export const STEP_BYTES = 32;

export function packStep(values: StepValues): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(STEP_BYTES));
  view.setUint32(0, values.seed, true);
  view.setFloat32(4, values.inverseTargets, true);
  view.setFloat32(8, values.learningRate, true);
  view.setFloat32(12, values.correction1, true);
  view.setFloat32(16, values.correction2, true);
  return new Uint8Array(view.buffer);
}
