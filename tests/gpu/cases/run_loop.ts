import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunConfig } from "#src/train/config.ts";
import type { Report } from "#src/train/protocol.ts";
import { MAX_SKIPPED_IN_A_ROW } from "#src/train/run_loop.ts";
import { tuneRun } from "#src/train/run_tuning.ts";
import { Trainer } from "#src/train/trainer.ts";
import { type Finding, subjectsOf } from "#src/train/tuner.ts";
import { readFindings, writeFindings } from "#src/train/tuning_file.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { inFolder, isProgressTo, SmallRun, stateIn, STEPS, undisturbed } from "../small_run.ts";

/** Lets it be known that of each kernel's candidates this one, in turn, is the fastest. */
async function rememberFastest({ gpu, folder, tuning, config }: SmallRun, turn: number): Promise<Finding[]> {
  const draft = await Trainer.create(gpu, config, { initialize: false });
  try {
    const findings = subjectsOf(gpu, draft.plans.microStep.dispatches).flatMap(({ candidates }) =>
      candidates.map(({ key, variant, code }, i) => ({
        key,
        variant,
        code,
        speedup: i === turn % candidates.length ? 2 : 0.5,
      }))
    );
    assert.equal(await writeFindings(join(folder, tuning), gpu.identity, [], findings), null);
    return findings.filter(({ speedup }) => speedup === 2);
  } finally {
    draft.free();
  }
}

/** Stops the run right after the first report that `at` picks, and resumes it from the checkpoint of the stop. */
function stopCase(name: string, at: (report: Report) => boolean, precision: RunConfig["precision"] = "f32"): GpuCase {
  return {
    name,
    needs: precision === "f16" ? "shader-f16" : undefined,
    run: async (gpu) => {
      const expected = await undisturbed(gpu, precision);
      assert.deepEqual(expected.loss_scale, {
        scale: precision === "f16" ? 2 ** 16 : 1,
        finite_steps: precision === "f16" ? 6 : 0,
      });
      assert.deepEqual(expected.losses.map(({ step }) => step), [1, 2, 3, 4, 5, 6]);
      assert.deepEqual(expected.evaluations.map(({ step }) => step), [0, 3, 6]);
      assert.deepEqual(expected.samples.map(({ step }) => step), [3, 6]);
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder, { precision });
        const first = await run.attempt((report, control) => {
          if (at(report)) control.stop = "paused";
        });
        assert.ok(first.type === "ended" && first.reason === "paused", JSON.stringify(first));
        const second = await run.attempt();
        assert.ok(second.type === "ended" && second.reason === "succeeded", JSON.stringify(second));
        assert.deepEqual({ ...run.outcome(), ...await run.lossScale() }, expected);
      });
    },
  };
}

/** Damages a file of the newest checkpoint; the run must go on from the one before, or from the beginning. */
function corruptCase(name: string, damage: (folder: string) => Promise<void>, problem: RegExp): GpuCase {
  return {
    name: `a newest checkpoint with ${name} is passed over`,
    run: async (gpu) => {
      const expected = await undisturbed(gpu, "f32", { checkpoint: { every: 4, keep: 9, on_best: false } });
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        run.config.checkpoint.on_best = false; // so that step 0 is the one before
        await run.attempt((report, control) => {
          if (isProgressTo(4)(report)) control.stop = "paused";
        });
        const [first, newest] = run.of("checkpointed");
        assert.deepEqual([first.step, newest.step], [0, 4]);
        await damage(join(folder, newest.directory));
        const kept = run.reports.filter((report) => report.type !== "progress" && report.type !== "evaluated");
        run.reports.length = 0;
        run.reports.push(...kept);
        await run.attempt();
        const [corrupt] = run.of("checkpoint_corrupt");
        assert.equal(corrupt.directory, newest.directory);
        assert.match(corrupt.problem, problem);
        assert.equal(run.of("started").at(-1)!.step, 0);
        const { samples: _, ...outcome } = { ...run.outcome(), ...await run.lossScale() };
        const { samples: __, ...same } = expected;
        assert.deepEqual(
          { ...outcome, evaluations: [expected.evaluations[0], ...outcome.evaluations].slice(-3) },
          same,
        );
      });
    },
  };
}

export const cases: GpuCase[] = [
  corruptCase("one bit turned", async (folder) => {
    const path = join(folder, "model.safetensors");
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] ^= 1;
    await writeFile(path, bytes);
  }, /^model\.safetensors has SHA-256 \w+, not \w+$/),
  corruptCase("a file cut short", async (folder) => {
    const path = join(folder, "optimizer.safetensors");
    await writeFile(path, (await readFile(path)).subarray(0, -1));
  }, /^optimizer\.safetensors has \d+ bytes, not \d+$/),
  corruptCase("a file missing", (folder) => rm(join(folder, "config.json")), /^config\.json is missing$/),
  corruptCase("its folder gone", (folder) => rm(folder, { recursive: true }), /^model\.safetensors is missing$/),
  {
    name: "calls of two steps each are the run in one piece",
    run: async (gpu) => {
      const expected = await undisturbed(gpu, "f32");
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        const reasons: string[] = [];
        for (let call = 0; call < 4 && reasons.at(-1) !== "succeeded"; call++) {
          const { reason, step } = await run.attempt(() => {}, { steps: 2, ms: 60_000 });
          reasons.push(`${reason}`);
          assert.equal(run.of("checkpointed").at(-1)!.step, step);
        }
        assert.deepEqual(reasons, ["yielded", "yielded", "succeeded"]);
        assert.deepEqual({ ...run.outcome(), ...await run.lossScale() }, expected);
      });
    },
  },
  {
    name: "calls without time get on all the same, one thing each",
    run: async (gpu) => {
      const expected = await undisturbed(gpu, "f32");
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        for (let call = 0; call < 20; call++) {
          const { reason } = await run.attempt(() => {}, { steps: 1e9, ms: 0 });
          if (reason === "succeeded") break;
          assert.equal(reason, "yielded");
        }
        assert.deepEqual({ ...run.outcome(), ...await run.lossScale() }, expected);
      });
    },
  },
  {
    name: "a checkpoint is taken after the burst in which its seconds have passed",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        run.config.checkpoint.every = 1000;
        run.config.checkpoint.every_seconds = 1e-6;
        run.config.checkpoint.on_best = false;
        await run.attempt();
        const bursts = run.of("progress").map(({ points }) => points.at(-1)!.step);
        assert.ok(bursts.length > 2);
        assert.deepEqual(run.of("checkpointed").map(({ step }) => step), [0, ...bursts]);
      }),
  },
  {
    name: "a run goes on with the variants it began with, whatever is known by then",
    run: (gpu) =>
      inFolder((folder) =>
        inFolder(async (other) => {
          const whole = new SmallRun(gpu, folder);
          const fastest = await rememberFastest(whole, 0);
          await whole.attempt();
          const [{ tuning }] = whole.of("started");
          assert.equal(tuning.candidates_timed, 0);
          assert.deepEqual(
            tuning.choices.map(({ kernel, shape, variant }) => `${kernel} ${shape}: ${variant}`).sort(),
            fastest.map(({ key, variant }) => `${key.split(":")[0]}: ${variant}`).sort(),
          );

          const parts = new SmallRun(gpu, other);
          await rememberFastest(parts, 0);
          await parts.attempt((report, control) => {
            if (isProgressTo(3)(report)) control.stop = "paused";
          });
          await rememberFastest(parts, 1);
          const taken = parts.reports.length;
          const { directory, files } = parts.of("checkpointed").at(-1)!;
          const checkpoint = join(other, directory);
          const { choices } = await stateIn(checkpoint);
          for (const { key, variant } of fastest) assert.equal(choices[key], variant);
          await parts.attempt();
          const again = parts.of("started").at(-1)!.tuning;
          assert.deepEqual(again.choices, tuning.choices.map((choice) => ({ ...choice, speedup: null })));
          assert.deepEqual(parts.outcome(), whole.outcome());

          // As written before there were choices.
          const old = JSON.stringify({ ...await stateIn(checkpoint), choices: undefined });
          await writeFile(join(checkpoint, "trainer_state.json"), old);
          const sha256 = createHash("sha256").update(old).digest("hex");
          Object.assign(files.find(({ name }) => name === "trainer_state.json")!, { bytes: old.length, sha256 });
          parts.reports.length = taken;
          await parts.attempt();
          assert.deepEqual(parts.of("started").at(-1)!.tuning.choices, []);
        })
      ),
  },
  {
    name: "what tuning found is remembered, and taken without timing it again",
    run: (gpu) =>
      inFolder(async (folder) => {
        const { config } = new SmallRun(gpu, folder);
        const first = await tuneRun(gpu, config, { folder, budgetMs: 4000 });
        assert.equal(first.note, null);
        const { findings } = await readFindings(folder, gpu.identity);
        assert.equal(findings.length, first.candidatesTimed);
        for (const { key, variant, speedup } of findings) assert.ok(speedup !== null, `${variant} on ${key}`);
        const { choices, speedups, candidatesTimed } = await tuneRun(gpu, config, { folder, budgetMs: 0 });
        assert.deepEqual({ choices, speedups }, { choices: first.choices, speedups: first.speedups });
        assert.equal(candidatesTimed, 0);
      }),
  },
  {
    name: "a run trains where nothing can be remembered",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder, { tuning: "text.txt" }); // a file
        const ended = await run.attempt();
        assert.ok(ended.type === "ended" && ended.reason === "succeeded", JSON.stringify(ended));
        assert.match(run.of("started")[0].tuning.note ?? "", /^adapter-\w+\.json was ignored: ENOTDIR$/);
      }),
  },
  stopCase("stopped before its first evaluation", ({ type }) => type === "started"),
  stopCase("stopped between an evaluation's step and the evaluation", isProgressTo(3)),
  stopCase("stopped between an evaluation and a sample", (report) => report.type === "evaluated" && report.step === 3),
  // The first burst is one step long; later ones end where they will.
  stopCase("stopped between milestones", isProgressTo(1)),
  stopCase("stopped in f16", isProgressTo(2), "f16"),
  stopCase("stopped after the last step, before its evaluation", isProgressTo(STEPS)),
  {
    name: "steps without a finite gradient are skipped and counted, and ten in a row end the run with advice",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        // Nothing is due on the way, so that a burst is as long as its time allows and another is under way.
        const never = { eval: { ...run.config.eval, every: 0 }, sample: { ...run.config.sample, every: 0 } };
        Object.assign(run.config, { max_steps: 200, ...never, checkpoint: { ...run.config.checkpoint, every: 0 } });
        const { optimizer } = run.config;
        Object.assign(optimizer, { kind: "sgd", schedule: "constant", learning_rate: 1000, warmup_steps: 0 });
        optimizer.grad_clip = null; // so that it explodes
        const message = new RegExp(`not finite for ${MAX_SKIPPED_IN_A_ROW} steps in a row: lower optimizer`);
        await assert.rejects(run.attempt(), message);
        const points = run.of("progress").flatMap((report) => report.points);
        assert.ok(Number.isFinite(points[0].grad_norm));
        const streak = points.slice(points.findLastIndex(({ grad_norm }) => Number.isFinite(grad_norm)) + 1);
        assert.equal(streak.length, MAX_SKIPPED_IN_A_ROW);
        const skipped = points.filter(({ grad_norm }) => !Number.isFinite(grad_norm)).length;
        assert.equal(run.of("progress").at(-1)!.skipped_steps, skipped);
        assert.deepEqual(points.map(({ step }) => step), points.map((_, i) => i + 1));
      }),
  },
  {
    name: "a checkpoint's files have the bytes and hashes that are reported",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        await run.attempt();
        const checkpoints = run.of("checkpointed");
        assert.deepEqual(checkpoints.map(({ step }) => step), [0, 3, 4, 6]);
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
