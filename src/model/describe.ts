import type { ModelConfig } from "./config.ts";

/** What a run asks of a device, as arithmetic: nothing is allocated. */
export interface Workload {
  model: ModelConfig;
  /** B: windows in a micro-step. */
  batchSize: number;
  gradientAccumulationSteps: number;
  optimizer: "adamw" | "sgd" | "muon";
  momentum: number;
}

export interface Description {
  parameters: number;
  /** Of one optimizer step: 6·N + 12·L·C·T for each token (nanoGPT's estimate). */
  flopsPerStep: number;
  bytes: { parameters: number; gradients: number; optimizer: number; activations: number; total: number };
  /** The largest tensor that a kernel must bind whole (tables that can be split are not among them). */
  largestBindingBytes: number;
}

export interface DeviceLimits {
  maxStorageBufferBindingSize: number;
  maxBufferSize: number;
}

export function describe(_workload: Workload, _limits: DeviceLimits): Description {
  throw new Error("replaced within the hour by the arithmetic of the model's tensor tables");
}
