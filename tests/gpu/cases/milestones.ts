import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Gpu } from "#src/gpu/device.ts";
import { resolveRunConfig, RunRequest, type RunRequestInput } from "#src/train/config.ts";
import type { Report } from "#src/train/protocol.ts";
import { RunControl, StoppedError } from "#src/train/run_control.ts";
import { Trainer } from "#src/train/trainer.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { inFolder, isProgressTo, SmallRun, stateIn, TEXT, undisturbed } from "../small_run.ts";

type Request = Partial<RunRequestInput>;
type At = (report: Report) => boolean;

const isEvaluation = (step: number): At => (report) => report.type === "evaluated" && report.step === step;

/** Checkpoints at steps of their own: without `on_best`, no evaluation on the way has a checkpoint of its step. */
const APART: Request = {
  max_steps: 12,
  eval: { every: 5, batches: null },
  sample: { every: 5, max_tokens: 5, prompt: "a" },
  checkpoint: { every: 4, keep: 9 },
};

/** Stops a run at each of these, one after the other, and holds it against one that nobody stopped. */
function stops(name: string, request: Request, at: readonly At[]): GpuCase {
  return {
    name: `the checkpoints of a run stopped ${name} are those of one that nobody stopped`,
    run: async (gpu) => {
      const expected = await undisturbed(gpu, "f32", request);
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder, { request });
        for (const isMoment of at) {
          const ended = await run.attempt((report, control) => {
            if (isMoment(report)) control.stop = "interrupted";
          });
          assert.equal(ended.reason, "interrupted");
        }
        assert.equal((await run.attempt()).reason, "succeeded");
        assert.deepEqual({ ...run.outcome(), ...await run.lossScale() }, expected);
      });
    },
  };
}

/** A stop that comes as a message, as a Worker's commands do: it is heard when the loop gives a turn. */
function stopByMessage(control: RunControl): { send: () => void; close: () => void } {
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => control.stop = "paused";
  return { send: () => port1.postMessage("stop"), close: () => port1.close() };
}

async function checkEpochs(gpu: Gpu, request: Request): Promise<void> {
  const { epochs, batch_size, gradient_accumulation_steps, context_length } = request;
  const about = `${epochs} epochs, ${batch_size} × ${gradient_accumulation_steps} windows of ${context_length}`;
  await inFolder(async (folder) => {
    const run = new SmallRun(gpu, folder, { request });
    assert.equal((await run.attempt()).reason, "succeeded", about);
    const points = run.of("progress").flatMap((report) => report.points);
    assert.equal(points.length, run.config.max_steps, about);
    assert.ok(points.every(({ loss }) => Number.isFinite(loss)), about);
    assert.equal(points.at(-1)!.epoch, epochs, about);
    // Each token but the first is a target once in each epoch.
    assert.equal(run.of("progress").at(-1)!.tokens_seen, epochs! * (TEXT.length - 1), about);
    assert.equal(
      (await stateIn(join(folder, run.of("checkpointed").at(-1)!.directory))).tokens_seen % (TEXT.length - 1),
      0,
    );
  });
}

export const cases: GpuCase[] = [
  stops("between an evaluation and its sample", {}, [isEvaluation(0), isEvaluation(3), isEvaluation(6)]),
  stops("before an evaluation, and then within its milestone", { checkpoint: { every: 3, keep: 9 } }, [
    isProgressTo(3),
    isEvaluation(3),
  ]),
  stops("around evaluations whose steps have no other checkpoint", APART, [
    isProgressTo(5),
    isEvaluation(5),
    isEvaluation(10),
  ]),
  stops("so, without checkpoints of the best", { ...APART, checkpoint: { every: 4, keep: 9, on_best: false } }, [
    isEvaluation(5),
    isEvaluation(10),
  ]),
  {
    name: "a checkpoint of format 1 is resumed from: what its evaluation found is found again",
    run: async (gpu) => {
      const expected = await undisturbed(gpu, "f32");
      await inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        await run.attempt((report, control) => {
          if (isEvaluation(3)(report)) control.stop = "paused";
        });
        const { directory, files } = run.of("checkpointed").at(-1)!;
        const { val_loss: _, best: __, ...state } = await stateIn(join(folder, directory));
        assert.deepEqual([state.format, state.owed], [2, ["sample"]]);
        const old = new TextEncoder().encode(JSON.stringify({ ...state, format: 1 }));
        await writeFile(join(folder, directory, "trainer_state.json"), old);
        const sha256 = createHash("sha256").update(old).digest("hex");
        Object.assign(files.find(({ name }) => name === "trainer_state.json")!, { bytes: old.length, sha256 });
        assert.equal((await run.attempt()).reason, "succeeded");
        assert.deepEqual(run.of("checkpoint_corrupt"), []);
        assert.deepEqual(run.of("evaluated").map(({ step }) => step), [0, 3, 3, 6]);
        const { evaluations: _e, ...outcome } = run.outcome();
        const { evaluations: _f, loss_scale: _l, ...same } = expected;
        assert.deepEqual(outcome, same);
      });
    },
  },
  {
    name: "every evaluation that finds a new best has a checkpoint",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder, { request: APART });
        await run.attempt();
        const bests = run.of("evaluated").filter(({ val_loss }, i, all) =>
          all.slice(0, i).every((before) => val_loss < before.val_loss)
        );
        assert.ok(bests.length > 1);
        for (const { step, val_loss } of bests) {
          assert.deepEqual(run.checkpoints().filter((one) => one.step === step), [{ step, val_loss }]);
        }
      }),
  },
  {
    name: "every: 0 leaves the checkpoints of step 0 and of the end, and no evaluation",
    run: (gpu) =>
      inFolder(async (folder) => {
        const request = { eval: { every: 0 }, sample: { every: 0 }, checkpoint: { every: 0 } };
        const run = new SmallRun(gpu, folder, { request });
        assert.equal((await run.attempt()).reason, "succeeded");
        assert.deepEqual(run.checkpoints(), [{ step: 0, val_loss: null }, { step: 6, val_loss: null }]);
        assert.deepEqual([...run.of("evaluated"), ...run.of("sampled")], []);
      }),
  },
  {
    name: "epochs end exactly, whatever the batch",
    run: async (gpu) => {
      const all = { validation_fraction: 0, max_steps: undefined, sample: { every: 0 }, checkpoint: { every: 0 } };
      await checkEpochs(gpu, { ...all, epochs: 1, batch_size: 7, gradient_accumulation_steps: 1, context_length: 11 });
      await checkEpochs(gpu, { ...all, epochs: 2, batch_size: 3, gradient_accumulation_steps: 5, context_length: 13 });
      // Fewer windows than a batch: one step, of which most rows are ignored.
      await checkEpochs(gpu, { ...all, epochs: 1, batch_size: 12, gradient_accumulation_steps: 2, context_length: 90 });
    },
  },
  {
    name: "a sample says which characters of its prompt the vocabulary lacks",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder, { request: { sample: { every: 3, max_tokens: 5, prompt: "é a…é" } } });
        await run.attempt();
        assert.deepEqual(run.of("sampled").map(({ ignored }) => ignored), ["é…", "é…"]);
      }),
  },
  {
    name: "a stop that comes as a message during an evaluation ends it",
    run: (gpu) =>
      inFolder(async (folder) => {
        const request: Request = { validation_fraction: 0.5, eval: { every: 3, batches: null } };
        const run = new SmallRun(gpu, folder, { request, text: TEXT.repeat(200) });
        const control = new RunControl();
        const message = stopByMessage(control);
        try {
          const ended = await run.attempt(
            (report) => {
              if (report.type === "started") message.send(); // the evaluation of step 0 begins at once
            },
            null,
            control,
          );
          assert.equal(ended.reason, "paused");
          assert.deepEqual(run.of("evaluated"), []);
          assert.deepEqual(run.of("checkpointed").map(({ step, val_loss }) => ({ step, val_loss })), [
            { step: 0, val_loss: null },
          ]);
        } finally {
          message.close();
        }
      }),
  },
  {
    name: "a stop that comes as a message while the weights are made ends that",
    run: async (gpu) => {
      const request = RunRequest.parse({
        dataset: "text",
        model: { n_layer: 12, n_head: 4, n_embd: 256 },
        context_length: 8,
        batch_size: 1,
      });
      const config = resolveRunConfig(request, { name: "text", distinctCharacters: 9, tokens: 1000 });
      const control = new RunControl();
      const message = stopByMessage(control);
      let pieces = 0;
      const giveTurn = async () => {
        if (pieces++ === 0) message.send();
        await control.giveTurn();
      };
      try {
        await assert.rejects(Trainer.create(gpu, config, { giveTurn }), StoppedError);
      } finally {
        message.close();
      }
      assert.ok(pieces < 100, `${pieces} of ${12 * 12} pieces`);
    },
  },
  {
    name: "a stop before the run has begun leaves nothing behind",
    run: (gpu) =>
      inFolder(async (folder) => {
        const run = new SmallRun(gpu, folder);
        const stopped = new RunControl();
        stopped.stop = "paused";
        assert.deepEqual(await run.attempt(() => {}, null, stopped), {
          type: "ended",
          run_id: "run",
          step: null,
          reason: "paused",
        });
        assert.deepEqual(run.reports, []);
        await run.attempt((report, control) => {
          if (isProgressTo(3)(report)) control.stop = "paused";
        });
        const before = run.reports.length;
        assert.equal((await run.attempt(() => {}, null, stopped)).step, null);
        assert.equal(run.reports.length, before);
        assert.equal((await run.attempt()).reason, "succeeded");
      }),
  },
];
