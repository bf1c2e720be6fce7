import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Gpu } from "#src/gpu/device.ts";
import { resolveRunConfig, RunRequest } from "#src/train/config.ts";
import type { DeviceInfo, Report } from "#src/train/protocol.ts";
import { RunControl } from "#src/train/run_control.ts";
import { trainRun } from "#src/train/run_loop.ts";
import type { GpuCase } from "../harness/gpu_case.ts";

const TEXT = "a small text for a small model, said twice: a small text for a small model. ".repeat(6);
const STEPS = 6;

/** A run in a folder of its own; `watch` sees each report as it is posted and may set `control.stop`. */
class SmallRun {
  readonly reports: Report[] = [];
  readonly #config = resolveRunConfig(
    RunRequest.parse({
      dataset: "text",
      model: { n_layer: 1, n_head: 1, n_embd: 8 },
      context_length: 8,
      batch_size: 2,
      max_steps: STEPS,
      eval: { every: 3, batches: null },
      sample: { every: 3, max_tokens: 5, prompt: "a" },
      checkpoint: { every: 4, keep: 9 },
    }),
    { name: "text", distinctCharacters: new Set(TEXT).size, tokens: TEXT.length },
  );

  constructor(readonly gpu: Gpu, readonly folder: string) {}

  async attempt(resumeFrom: string | null, watch: (report: Report, control: RunControl) => void): Promise<Report> {
    const text = join(this.folder, "text.txt");
    await writeFile(text, TEXT);
    const files = {
      text,
      textSha256: "text",
      tokens: join(this.folder, "tokens"),
      checkpoints: this.folder,
      resumeFrom,
    };
    const control = new RunControl();
    const post = (report: Report) => {
      this.reports.push(report);
      watch(report, control);
    };
    const command = { type: "start", run_id: "run", config: this.#config, files } as const;
    return await trainRun({ gpu: this.gpu, device: deviceOf(this.gpu), command, control, post });
  }

  of<T extends Report["type"]>(type: T): Extract<Report, { type: T }>[] {
    return this.reports.filter((report): report is Extract<Report, { type: T }> => report.type === type);
  }

  /** What must not depend on where a run was stopped. */
  outcome() {
    const files = this.of("checkpointed").at(-1)!.files;
    return {
      losses: this.of("progress").flatMap(({ points }) => points.map(({ step, loss }) => ({ step, loss }))),
      evaluations: this.of("evaluated").map(({ step, val_loss }) => ({ step, val_loss })),
      samples: this.of("sampled").map(({ step, text }) => ({ step, text })),
      weights: files.filter(({ name }) => name.endsWith(".safetensors")).map(({ sha256 }) => sha256),
    };
  }
}

function deviceOf({ identity, limits }: Gpu): DeviceInfo {
  return {
    ...identity,
    features: [],
    limits: { ...limits },
    memoryBytes: null,
    measured: { gflops: 1, gigabytesPerSecond: 1 },
  };
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "reverie-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const undisturbed = (gpu: Gpu) =>
  inFolder(async (folder) => {
    const run = new SmallRun(gpu, folder);
    assert.equal((await run.attempt(null, () => {})).type, "ended");
    return run.outcome();
  });

/** Stops the run right after the first report that `at` picks, and lets it go on from the checkpoint of the stop. */
function stopCase(name: string, at: (report: Report) => boolean): GpuCase {
  return {
    name,
    run: async (gpu) => {
      const expected = await undisturbed(gpu);
      assert.deepEqual(expected.losses.map(({ step }) => step), [1, 2, 3, 4, 5, 6]);
      assert.deepEqual(expected.evaluations.map(({ step }) => step), [0, 3, 6]);
      assert.deepEqual(expected.samples.map(({ step }) => step), [3, 6]);
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        const first = await run.attempt(null, (report, control) => {
          if (at(report)) control.stop = "paused";
        });
        assert.ok(first.type === "ended" && first.reason === "paused", JSON.stringify(first));
        const { directory } = run.of("checkpointed").at(-1)!;
        const second = await run.attempt(join(folder, directory), () => {});
        assert.ok(second.type === "ended" && second.reason === "succeeded", JSON.stringify(second));
        assert.deepEqual(run.outcome(), expected);
      });
    },
  };
}

export const cases: GpuCase[] = [
  stopCase("stopped before its first evaluation", ({ type }) => type === "started"),
  stopCase("stopped between an evaluation's step and the evaluation", isProgressTo(3)),
  stopCase("stopped between an evaluation and a sample", (report) => report.type === "evaluated" && report.step === 3),
  // The first burst is one step long; later ones end where they will.
  stopCase("stopped between milestones", isProgressTo(1)),
  stopCase("stopped after the last step, before its evaluation", isProgressTo(STEPS)),
  {
    name: "a checkpoint's files have the bytes and hashes that are reported",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        await run.attempt(null, () => {});
        const checkpoints = run.of("checkpointed");
        assert.deepEqual(checkpoints.map(({ step }) => step), [0, 4, 6]);
        for (const { directory, files } of checkpoints) {
          for (const { name, bytes, sha256 } of files) {
            const content = await readFile(join(folder, directory, name));
            assert.equal(content.length, bytes, name);
            assert.equal(createHash("sha256").update(content).digest("hex"), sha256, name);
          }
        }
      }),
  },
];

function isProgressTo(step: number): (report: Report) => boolean {
  return (report) => report.type === "progress" && report.points.at(-1)?.step === step;
}
