import { choiceKey, type Choices } from "../gpu/choices.ts";
import type { Gpu } from "../gpu/device.ts";
import { describe, deviceLimits } from "../model/describe.ts";
import { type RunConfig, workloadOf } from "./config.ts";
import type { DeviceInfo, TuningReport } from "./protocol.ts";
import { Trainer } from "./trainer.ts";
import { subjectsOf, tune, unknownTo } from "./tuner.ts";
import { readFindings, writeFindings } from "./tuning_file.ts";

/** What tuning may take before a run; S is to start within 3 s. */
const TUNING_MS = 2500;
/** A run that is shorter than ten times that would not get it back. */
const SHARE_OF_RUN = 0.1;

export interface RunTuning {
  choices: Choices;
  speedups: Record<string, number>;
  candidatesTimed: number;
  elapsedMs: number;
  note: string | null;
}

/** A run that takes what it finds: a checkpoint's choices, or none. */
export function untuned(choices: Choices): RunTuning {
  return { choices, speedups: {}, candidatesTimed: 0, elapsedMs: 0, note: null };
}

/** What tuning before this run may take. Ms. */
export function tuningBudget(config: RunConfig, device: DeviceInfo): number {
  const { flopsPerStep } = describe(workloadOf(config), deviceLimits(device));
  const runMs = config.max_steps * flopsPerStep / (1e6 * device.measured.gflops);
  return Math.min(TUNING_MS, SHARE_OF_RUN * runMs);
}

/**
 * Chooses variants for a run that starts: from what is remembered in `folder`, and from timing what is not. A draft of
 * the run, recorded and allocated as the run will be, says which kernels and shapes there are and lends its memory; it
 * is gone before the run's own is allocated.
 */
export async function tuneRun(
  gpu: Gpu,
  config: RunConfig,
  { folder, budgetMs, stop = () => false }: { folder: string; budgetMs: number; stop?: () => boolean },
): Promise<RunTuning> {
  const start = performance.now();
  const { findings: known, note } = await readFindings(folder, gpu.identity);
  const draft = await Trainer.create(gpu, config, { initialize: false });
  try {
    const subjects = subjectsOf(gpu, draft.plans.microStep.dispatches);
    const leftMs = budgetMs - (performance.now() - start);
    const unknown = leftMs > 0 ? unknownTo(known, subjects) : [];
    // A candidate may take the device or the process with it: the next attempt must not try it again.
    const unwritten = unknown.length > 0 ? await writeFindings(folder, gpu.identity, known, unknown) : null;
    const { choices, speedups, findings, failure } = await tune(gpu, subjects, { known, budgetMs: leftMs, stop });
    if (unknown.length > 0) await writeFindings(folder, gpu.identity, known, findings);
    return {
      choices,
      speedups,
      candidatesTimed: findings.length,
      elapsedMs: performance.now() - start,
      note: [note, unwritten, failure].filter((part) => part !== null).join("; ") || null,
    };
  } finally {
    draft.free();
  }
}

/** What a run says of it: the choices that it runs with, where they are not what is taken without any. */
export function reportTuning(
  { speedups, candidatesTimed, elapsedMs, note }: RunTuning,
  { gpu, plans }: Trainer,
): TuningReport {
  const choices = new Map<string, TuningReport["choices"][number]>();
  for (const { kernel, dims, bindings, variant } of plans.microStep.dispatches) {
    const key = choiceKey(kernel, dims, bindings);
    if (key === null || variant === kernel.choose(dims, gpu.traits)) continue;
    const speedup = speedups[key] === undefined ? null : Math.round(100 * speedups[key]) / 100;
    choices.set(key, { kernel: kernel.name, shape: kernel.shape!(dims), variant: variant.name, speedup });
  }
  return {
    candidates_timed: candidatesTimed,
    elapsed_ms: Math.round(elapsedMs),
    choices: [...choices.values()],
    note,
  };
}
