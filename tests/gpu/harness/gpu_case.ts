import type { Gpu, GpuLimits } from "#src/gpu/device.ts";

/**
 * One check that needs a GPU. Modules under `tests/gpu/cases/` export `cases: GpuCase[]`; Bun and Deno both import them,
 * so they name neither `bun:test` nor `Deno`. A case fails by throwing: use `node:assert/strict`.
 */
export interface GpuCase {
  name: string;
  /** A feature without which there is nothing to check: on an adapter that lacks it the case is counted as not run. */
  needs?: GPUFeatureName;
  /** Ceilings below the device's own: a case that has them gets a device to itself. */
  limits?: Partial<GpuLimits>;
  /** The device is shared with the module's other cases: destroy what you allocate. Its late errors fail the case too. */
  run(gpu: Gpu): Promise<void> | void;
}
