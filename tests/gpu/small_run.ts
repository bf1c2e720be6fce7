import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Gpu } from "#src/gpu/device.ts";
import { resolveRunConfig, type RunConfig, RunRequest, type RunRequestInput } from "#src/train/config.ts";
import type { DeviceInfo, Report, StepLimits } from "#src/train/protocol.ts";
import { RunControl } from "#src/train/run_control.ts";
import { trainRun } from "#src/train/run_loop.ts";

export const TEXT = "a small text for a small model, said twice: a small text for a small model. ".repeat(6);
export const STEPS = 6;

interface Options {
  /** The subfolder in which the choices of variants are remembered. */
  tuning?: string;
  precision?: RunConfig["precision"];
  /** Differences from the usual small run. */
  request?: Partial<RunRequestInput>;
  text?: string;
}

/** A run in a folder of its own; `watch` sees each report as it is posted and may set `control.stop`. */
export class SmallRun {
  readonly reports: Report[] = [];
  readonly tuning: string;
  readonly config: RunConfig;
  readonly #text: string;

  constructor(
    readonly gpu: Gpu,
    readonly folder: string,
    { tuning = "tuning", precision = "f32", request: changes = {}, text = TEXT }: Options = {},
  ) {
    this.tuning = tuning;
    this.#text = text;
    const request = RunRequest.parse({
      dataset: "text",
      model: { n_layer: 1, n_head: 1, n_embd: 8 },
      context_length: 8,
      batch_size: 2,
      max_steps: STEPS,
      eval: { every: 3, batches: null },
      sample: { every: 3, max_tokens: 5, prompt: "a" },
      checkpoint: { every: 4, keep: 9 },
      precision,
      ...changes,
    });
    const facts = { name: "text", distinctCharacters: new Set(text).size, tokens: text.length };
    this.config = resolveRunConfig(request, facts);
  }

  /** Resumes from the newest checkpoint that was reported. */
  async attempt(
    watch: (report: Report, control: RunControl) => void = () => {},
    limits: StepLimits | null = null,
    control = new RunControl(limits),
  ): Promise<Extract<Report, { type: "ended" }>> {
    const text = join(this.folder, "text.txt");
    await writeFile(text, this.#text);
    const files = {
      text,
      textSha256: "text",
      tokens: join(this.folder, "tokens"),
      tuning: join(this.folder, this.tuning),
      checkpoints: this.folder,
      resumeFrom: this.of("checkpointed").reverse(),
    };
    const post = (report: Report) => {
      this.reports.push(report);
      watch(report, control);
    };
    const command = { type: "start", run_id: "run", config: this.config, files, limits } as const;
    return await trainRun({ gpu: this.gpu, device: deviceOf(this.gpu), command, control, post });
  }

  of<T extends Report["type"]>(type: T): Extract<Report, { type: T }>[] {
    return this.reports.filter((report): report is Extract<Report, { type: T }> => report.type === type);
  }

  /** The loss scale in the last checkpoint. */
  async lossScale() {
    const { loss_scale } = await stateIn(join(this.folder, this.of("checkpointed").at(-1)!.directory));
    return { loss_scale };
  }

  /** All that must not depend on where a run was stopped. */
  outcome() {
    const { files, train_loss } = this.of("checkpointed").at(-1)!;
    return {
      train_loss,
      losses: this.of("progress").flatMap(({ points }) =>
        points.map(({ step, loss, epoch }) => ({ step, loss, epoch }))
      ),
      checkpoints: this.checkpoints(),
      evaluations: this.of("evaluated").map(({ step, val_loss }) => ({ step, val_loss })),
      samples: this.of("sampled").map(({ step, text }) => ({ step, text })),
      // Weights, moments, and all that the run remembers.
      files: files.map(({ name, sha256 }) => ({ name, sha256 })),
    };
  }

  /** As the service lists them without retention: the newest of each step, and none that only served to resume from. */
  checkpoints() {
    const ofStep = new Map(this.of("checkpointed").map((report) => [report.step, report]));
    return [...ofStep.values()].filter(({ resume_only }) => !resume_only).map(({ step, val_loss }) => ({
      step,
      val_loss,
    }));
  }
}

export const stateIn = async (folder: string) => JSON.parse(await readFile(join(folder, "trainer_state.json"), "utf8"));

function deviceOf({ identity, limits }: Gpu): DeviceInfo {
  return {
    ...identity,
    features: [],
    limits: { ...limits },
    memoryBytes: null,
    measured: { gflops: 1, gigabytesPerSecond: 1 },
  };
}

export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "reverie-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The outcome of a run that nobody stops. */
export const undisturbed = (gpu: Gpu, precision: RunConfig["precision"], request: Partial<RunRequestInput> = {}) =>
  inFolder(async (folder) => {
    const run = new SmallRun(gpu, folder, { precision, request });
    assert.equal((await run.attempt()).type, "ended");
    return { ...run.outcome(), ...await run.lossScale() };
  });

export function isProgressTo(step: number): (report: Report) => boolean {
  return (report) => report.type === "progress" && report.points.at(-1)?.step === step;
}
