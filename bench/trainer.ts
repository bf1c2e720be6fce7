import { join } from "node:path";
import process from "node:process";
import type { Gpu } from "../src/gpu/device.ts";
import type { RunConfig } from "../src/train/config.ts";
import { tuneRun } from "../src/train/run_tuning.ts";
import { Trainer } from "../src/train/trainer.ts";

/** Where a server started here would keep what tuning found. */
const FOLDER = join(process.env.REVERIE_DATA || "data", "tuning");

/** Enough to time everything: what a machine knows after some starts of runs, each of which tunes for 2.5 s. */
const BUDGET_MS = 120_000;

/** A trainer as a run would have it, and how it came to its kernels' variants. */
export async function createTrainer(
  gpu: Gpu,
  config: RunConfig,
  { tuning }: { tuning: boolean },
): Promise<{ trainer: Trainer; about: string }> {
  if (!tuning) return { trainer: await Trainer.create(gpu, config), about: "untuned" };
  const tuned = await tuneRun(gpu, config, { folder: FOLDER, budgetMs: BUDGET_MS });
  const { choices, speedups, candidatesTimed, elapsedMs, note } = tuned;
  const found = `${Object.keys(speedups).length} of ${Object.keys(choices).length} choices are not the default`;
  const about = `tuned in ${(elapsedMs / 1000).toFixed(1)} s: ${candidatesTimed} candidates timed, ${found}`;
  return { trainer: await Trainer.create(gpu, config, { choices }), about: note ? `${about}; ${note}` : about };
}
