import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConflictError, NoDeviceError, UnprocessableError } from "#src/errors.ts";
import { METRIC_NAMES } from "#src/runs/metric_store.ts";
import { waitFor } from "../../support/wait_for.ts";
import { nextTurn } from "#src/turns.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const runOf = (id: string) => fixture.reverie.runs.get(id);
const types = (id: string) => fixture.events(id).map(({ type }) => type);

function stepsOf(id: string): number[] {
  const series = fixture.points(id, METRIC_NAMES, 0, 1e9);
  return series.get("train/loss")!.steps;
}

describe("a run", () => {
  test("goes from the queue to its end, every report kept", async () => {
    const id = await fixture.run({ max_steps: 20, tags: { team: "a" } });
    const { trainer } = fixture;
    expect(runOf(id)).toMatchObject({ status: "running", device: "fake adapter", step: 0, tags: { team: "a" } });
    trainer.started();
    trainer.checkpointed(0);
    trainer.progress(1, 10);
    trainer.evaluated(10, 2.5);
    trainer.report({ type: "sampled", run_id: id, step: 10, prompt: "\n", text: "abc", ignored: "" });
    trainer.progress(11, 20);
    trainer.checkpointed(20, 2.5);
    trainer.ended("succeeded", 20);
    expect(types(id)).toEqual([
      "run.queued",
      "run.started",
      "run.checkpointed",
      "run.progress",
      "run.evaluated",
      "run.sampled",
      "run.progress",
      "run.checkpointed",
      "run.succeeded",
    ]);
    expect(runOf(id)).toMatchObject({
      status: "succeeded",
      step: 20,
      best_val_loss: 2.5,
      tokens_seen: 15360,
      attempts: 0,
    });
    expect(runOf(id).last_metrics).toMatchObject({ "train/loss": 3.8, "val/loss": 2.5 });
    expect(runOf(id).finished_at).not.toBeNull();
    expect(stepsOf(id)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test("says which kernels' variants it trains with", async () => {
    const id = await fixture.run();
    expect(fixture.trainer.start.files.tuning).toBe(join(fixture.folder, "tuning"));
    const choices = [{ kernel: "matmul_nt", shape: "8×8×8", variant: "fast", speedup: 1.2 }];
    const tuning = { candidates_timed: 3, elapsed_ms: 700, choices, note: "a file was ignored: it is not JSON" };
    fixture.trainer.started(0, tuning);
    expect(fixture.events(id).at(-1)).toMatchObject({ type: "run.started", data: { step: 0, tuning } });
  });

  test("waits until the one before it is over", async () => {
    const first = await fixture.run();
    const second = await fixture.run();
    expect([runOf(first).status, runOf(second).status]).toEqual(["running", "queued"]);
    fixture.trainer.started();
    fixture.trainer.ended("succeeded", 100);
    expect([runOf(first).status, runOf(second).status]).toEqual(["succeeded", "running"]);
    expect(fixture.trainer.start.run_id).toBe(second);
  });

  test("that the trainer fails says why, and the next one starts", async () => {
    const id = await fixture.run();
    const next = await fixture.run();
    fixture.trainer.report({ type: "ended", run_id: id, step: 3, reason: "failed", error: "out of memory" });
    expect(runOf(id)).toMatchObject({ status: "failed", error: "out of memory" });
    expect(runOf(next).status).toBe("running");
  });

  test("keeps a loss that is not finite as null", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 3, (step) => step === 2 ? NaN : 1);
    const series = fixture.points(id, ["train/loss"], 0, 100);
    expect(series.get("train/loss")!.values).toEqual([1, null, 1]);
    expect(fixture.events(id).at(-1)!.data.points).toMatchObject([{ loss: 1 }, { loss: null }, { loss: 1 }]);
  });
});

describe("pause, resume, cancel", () => {
  test("a pause of a running run waits for its trainer", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    expect(fixture.reverie.runner.act("pause", id).status).toBe("running");
    expect(fixture.trainer.commands.at(-1)).toEqual({ type: "stop", run_id: id, reason: "paused" });
    fixture.trainer.checkpointed(7);
    fixture.trainer.ended("paused", 7);
    expect(runOf(id)).toMatchObject({ status: "paused", step: 7, finished_at: null });
    expect(fixture.reverie.runner.act("resume", id).status).toBe("queued");
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-7");
    expect(types(id).slice(-2)).toEqual(["run.paused", "run.resumed"]);
  });

  test("a queued run is paused and cancelled at once", async () => {
    await fixture.run();
    const id = await fixture.run();
    expect(fixture.reverie.runner.act("pause", id).status).toBe("paused");
    expect(fixture.reverie.runner.act("resume", id).status).toBe("queued");
    expect(fixture.reverie.runner.act("cancel", id)).toMatchObject({ status: "cancelled" });
    expect(() => fixture.reverie.runner.act("resume", id)).toThrow(ConflictError);
  });

  test("a cancel wins over the pause before it", async () => {
    const id = await fixture.run();
    fixture.reverie.runner.act("pause", id);
    fixture.reverie.runner.act("cancel", id);
    fixture.trainer.ended("paused", 5);
    expect(runOf(id).status).toBe("cancelled");
    expect(types(id).at(-1)).toBe("run.cancelled");
  });

  test("a pause holds where the process dies before the trainer answered", async () => {
    const id = await fixture.run();
    fixture.reverie.runner.act("pause", id);
    await fixture.boot();
    expect(runOf(id)).toMatchObject({ status: "paused", stop_requested: null });
  });
});

describe("after the process died", () => {
  test("a run goes on from its last checkpoint, each step once", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(0);
    fixture.trainer.progress(1, 10, () => 1);
    fixture.trainer.evaluated(10, 3);
    fixture.trainer.checkpointed(10, 3);
    fixture.trainer.progress(11, 17, () => 1);
    fixture.trainer.evaluated(15, 2);
    await fixture.boot();
    expect(types(id).at(-1)).toBe("run.interrupted");
    const { start } = fixture.trainer;
    expect(start).toMatchObject({ run_id: id });
    expect(start.files.resumeFrom[0].directory).toBe("step-10");
    fixture.trainer.started(10);
    expect(stepsOf(id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(runOf(id)).toMatchObject({ status: "running", attempts: 1, step: 10, best_val_loss: 3 });
    fixture.trainer.progress(11, 20, () => 2);
    const series = fixture.points(id, ["train/loss"], 10, 12);
    expect(series.get("train/loss")).toEqual({ steps: [10, 11, 12], values: [1, 2, 2] });
  });

  test("a checkpoint whose folder is gone is not gone on from, and folders without a row are swept", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(10);
    fixture.trainer.checkpointed(20);
    const folder = fixture.reverie.checkpoints.runFolder(id);
    rmSync(join(folder, "step-20"), { recursive: true });
    mkdirSync(join(folder, "step-30"));
    await fixture.boot();
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-10");
    expect(readdirSync(folder)).toEqual(["step-10"]);
  });

  test("many points past the checkpoint go in slices, and the reports after the start wait for that", async () => {
    const id = await fixture.run({ max_steps: 50_000 });
    fixture.trainer.started();
    fixture.trainer.progress(1, 5);
    fixture.trainer.checkpointed(5);
    fixture.trainer.progress(6, 40_000);
    await fixture.boot();
    fixture.trainer.started(5);
    fixture.trainer.progress(6, 8);
    expect(fixture.reverie.runs.get(id).step).toBe(40_000); // the start has not been taken in
    let turns = 0;
    for (; fixture.reverie.runs.get(id).step !== 8; turns++) await nextTurn();
    expect(turns).toBeGreaterThan(3);
    expect(stepsOf(id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(fixture.events(id).map(({ type }) => type).slice(-2)).toEqual(["run.started", "run.progress"]);
  });

  test("the queue is in the table", async () => {
    await fixture.run();
    const id = await fixture.run();
    await fixture.boot();
    expect(runOf(id).status).toBe("queued");
  });
});

describe("when the whole process dies", () => {
  let counted: Fixture;
  beforeEach(async () => {
    counted = await Fixture.open({ settings: { deathCountsMs: 0, concurrency: 2 } });
  });
  afterEach(() => counted.close());

  const row = (id: string) => counted.reverie.runs.get(id);
  const lastEvent = (id: string) => counted.events(id).at(-1)!;
  /** Long enough into the attempt for a death to count. */
  const attempt = (id: string) => waitFor("a death to count", () => row(id).death_counts);

  test("a run that it dies on twice without a new checkpoint is put aside, and the next one trains", async () => {
    const id = await counted.run();
    await attempt(id);
    counted.trainer.started();
    counted.trainer.checkpointed(0);
    await counted.boot();
    expect(row(id)).toMatchObject({ status: "running", attempts: 1, process_deaths: 1 });
    const next = await counted.run();
    await attempt(id);
    expect(row(next).status).toBe("queued"); // while the other may kill again, nothing trains beside it
    await counted.boot();
    expect(row(id)).toMatchObject({ status: "failed", attempts: 2 });
    expect(row(id).error).toMatch(/died 2 times while it trained this run.*ran out of memory: lower batch_size/);
    expect(lastEvent(id)).toMatchObject({ type: "run.failed", data: { error: row(id).error } });
    expect(row(next)).toMatchObject({ status: "running", attempts: 0, process_deaths: 0 });
  });

  test("a new checkpoint clears it, and lets others train beside it", async () => {
    const id = await counted.run();
    for (let life = 1; life <= 4; life++) {
      await attempt(id);
      counted.trainer.started();
      await counted.boot();
      expect(row(id)).toMatchObject({ status: "running", attempts: life, process_deaths: 1 });
      counted.trainer.checkpointed(life);
      expect(row(id).process_deaths).toBe(0);
    }
    const next = await counted.run();
    await waitFor("the next run's turn", () => row(next).status === "running");
  });

  test("counts for every run that trained, and for none that waited", async () => {
    const ids = [await counted.run(), await counted.run()];
    await waitFor("both to train", () => ids.every((id) => row(id).death_counts));
    const waiting = await counted.run();
    await counted.boot();
    expect([...ids, waiting].map((id) => row(id).process_deaths)).toEqual([1, 1, 0]);
    expect(counted.reverie.runs.withStatus("running")).toHaveLength(1); // which of the two it was comes out alone
  });

  test("does not count soon after the attempt began, nor after a stop in order", async () => {
    const id = await fixture.run();
    for (let life = 1; life <= 3; life++) await fixture.boot();
    expect(fixture.reverie.runs.get(id)).toMatchObject({ status: "running", attempts: 3, process_deaths: 0 });
    const other = await counted.run();
    await attempt(other);
    counted.trainer.obedient = true;
    await counted.reverie.stop();
    expect(row(other)).toMatchObject({ status: "queued", death_counts: false, process_deaths: 0 });
    await counted.boot();
    expect(row(other)).toMatchObject({ process_deaths: 0 });
  });
});

describe("when the trainer crashes", () => {
  test("a new one goes on with the run", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(5);
    fixture.trainer.crash();
    expect(runOf(id)).toMatchObject({ status: "queued", attempts: 1 });
    await Promise.resolve();
    expect(fixture.trainers).toHaveLength(2);
    expect(runOf(id).status).toBe("running");
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-5");
  });

  test("a run that gets nowhere is given up after five attempts", async () => {
    const id = await fixture.run();
    for (let attempt = 1; attempt <= 5; attempt++) {
      fixture.trainer.started();
      if (attempt === 1) fixture.trainer.checkpointed(0);
      fixture.trainer.crash("the driver hung");
      await Promise.resolve();
    }
    expect(runOf(id)).toMatchObject({ status: "failed", attempts: 5 });
    expect(runOf(id).error).toContain("the driver hung");
    expect(types(id).at(-1)).toBe("run.failed");
  });

  test("a run that gets on may crash as often as it likes", async () => {
    const id = await fixture.run({ max_steps: 1000 });
    for (let attempt = 1; attempt <= 8; attempt++) {
      fixture.trainer.started(attempt - 1);
      fixture.trainer.checkpointed(attempt);
      fixture.trainer.crash();
      await Promise.resolve();
    }
    expect(runOf(id)).toMatchObject({ status: "running", attempts: 8 });
  });

  test("a report that cannot be stored costs the attempt, not the history", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 3);
    const { trainer } = fixture;
    trainer.progress(3, 4); // step 3 twice: a broken trainer
    expect(trainer.closed).toBe(true);
    expect(runOf(id)).toMatchObject({ status: "queued", attempts: 1 });
    expect(stepsOf(id)).toEqual([1, 2, 3]);
  });
});

describe("a graceful stop", () => {
  test("checkpoints, and leaves the run queued for the next start", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 4);
    const stopping = fixture.reverie.stop();
    expect(fixture.trainer.commands.at(-1)).toEqual({ type: "stop", run_id: id, reason: "interrupted" });
    fixture.trainer.checkpointed(4);
    fixture.trainer.ended("interrupted", 4);
    await stopping;
    fixture.trainer.progress(5, 6); // too late: the next attempt's
    expect(runOf(id)).toMatchObject({ status: "queued", step: 4 });
    expect(fixture.trainer.closed).toBe(false); // the process takes it along
    await fixture.boot();
    expect(fixture.trainer.start).toMatchObject({ run_id: id });
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-4");
    expect(runOf(id).attempts).toBe(1);
  });
});

describe("retention", () => {
  test("keeps the newest and the best", async () => {
    const id = await fixture.run({ checkpoint: { every: 10, keep: 2 } });
    const { trainer, reverie } = fixture;
    trainer.started();
    for (const [step, loss] of [[0, null], [10, 3], [20, 1], [30, 2], [40, 2.5], [50, 2.6]] as const) {
      trainer.checkpointed(step, loss);
    }
    const kept = reverie.checkpoints.ofRun(id);
    expect(kept.map(({ step }) => step)).toEqual([50, 40, 20]);
    expect(reverie.checkpoints.bestOf(id)).toBe(kept[2].id);
    trainer.ended("succeeded", 50);
    await reverie.stop();
    expect(readdirSync(reverie.checkpoints.runFolder(id)).toSorted()).toEqual(["step-20", "step-40", "step-50"]);
  });

  const listOf = (id: string) => {
    const { checkpoints } = fixture.reverie;
    const best = checkpoints.bestOf(id);
    return checkpoints.ofRun(id).map((row) => ({ step: row.step, val_loss: row.val_loss, is_best: row.id === best }));
  };
  const idAt = (id: string, at: number) => fixture.reverie.checkpoints.ofRun(id).find(({ step }) => step === at)?.id;

  test("a step that comes by again replaces its checkpoint's files and keeps its id", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(10, null, { directory: "first" });
    const [before] = fixture.reverie.checkpoints.ofRun(id);
    fixture.trainer.checkpointed(10, 2, { directory: "second" });
    expect(fixture.reverie.checkpoints.ofRun(id)).toEqual([{ ...before, directory: "second", val_loss: 2 }]);
    fixture.trainer.ended("succeeded", 10);
    await fixture.reverie.stop();
    expect(readdirSync(fixture.reverie.checkpoints.runFolder(id))).toEqual(["second"]);
    const ids = fixture.events(id).filter(({ type }) => type === "run.checkpointed").map(({ data }) =>
      data.checkpoint_id
    );
    expect(ids).toEqual([before.id, before.id]);
  });

  test("a step that is trained again since its checkpoint was damaged keeps its id", async () => {
    const id = await fixture.run();
    const { trainer } = fixture;
    trainer.started();
    trainer.checkpointed(10, 2);
    trainer.checkpointed(20, 3);
    const damaged = idAt(id, 20)!;
    trainer.report({ type: "checkpoint_corrupt", run_id: id, directory: "step-20", problem: "a bit turned" });
    expect(() => fixture.reverie.checkpoints.get(damaged)).toThrow("no checkpoint");
    trainer.checkpointed(20, 3, { directory: "again" });
    expect(idAt(id, 20)).toBe(damaged);
    trainer.checkpointed(30, 3);
    expect(new Set(fixture.reverie.checkpoints.ofRun(id).map((row) => row.id)).size).toBe(3);
  });

  test("a checkpoint that a stop took goes with the next, and displaces none", async () => {
    const id = await fixture.run({ checkpoint: { every: 10, keep: 1 } });
    const { trainer } = fixture;
    trainer.started();
    trainer.checkpointed(10, 1);
    trainer.checkpointed(20, 3);
    const planned = [{ step: 20, val_loss: 3, is_best: false }, { step: 10, val_loss: 1, is_best: true }];
    expect(listOf(id)).toEqual(planned);
    trainer.checkpointed(23, 0.5, { resume_only: true }); // an evaluation that no checkpoint of the plan goes with
    expect(listOf(id)).toEqual([{ step: 23, val_loss: 0.5, is_best: false }, ...planned]);
    trainer.checkpointed(27, null, { resume_only: true });
    expect(listOf(id)).toEqual([{ step: 27, val_loss: null, is_best: false }, ...planned]);
    trainer.checkpointed(30, 2);
    expect(listOf(id)).toEqual([{ step: 30, val_loss: 2, is_best: false }, planned[1]]);
    trainer.ended("succeeded", 30);
    await fixture.reverie.stop();
    expect(readdirSync(fixture.reverie.checkpoints.runFolder(id)).toSorted()).toEqual(["step-10", "step-30"]);
  });

  test("a stop's checkpoint becomes one of the plan's when its step has one after all", async () => {
    const id = await fixture.run({ checkpoint: { every: 10, keep: 1 } });
    const { trainer } = fixture;
    trainer.started();
    trainer.checkpointed(10, 2);
    trainer.checkpointed(14, null, { resume_only: true, directory: "stop" });
    const resumed = idAt(id, 14);
    trainer.checkpointed(14, 1); // the evaluation found the best
    expect(listOf(id)).toEqual([{ step: 14, val_loss: 1, is_best: true }]);
    expect(idAt(id, 14)).toBe(resumed);
  });
});

describe("a stop before the run has begun", () => {
  test("leaves it where it was", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 5);
    fixture.trainer.checkpointed(5);
    fixture.trainer.ended("paused", 5);
    fixture.reverie.runner.act("resume", id);
    fixture.reverie.runner.act("pause", id);
    fixture.trainer.report({ type: "ended", run_id: id, step: null, reason: "paused" });
    expect(runOf(id)).toMatchObject({ status: "paused", step: 5 });
    expect(await stepsOf(id)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("a sample", () => {
  test("says which characters of its prompt were left out, if there are any", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    const sample = { type: "sampled", run_id: id, step: 0, prompt: "é…a", text: "b" } as const;
    fixture.trainer.report({ ...sample, ignored: "é…" });
    fixture.trainer.report({ ...sample, ignored: "" });
    const samples = fixture.events(id).filter(({ type }) => type === "run.sampled").map(({ data }) => data);
    expect(samples).toEqual([
      { step: 0, prompt: "é…a", text: "b", ignored: "é…" },
      { step: 0, prompt: "é…a", text: "b" },
    ]);
  });
});

describe("what is refused", () => {
  const create = (body: Parameters<Fixture["run"]>[0]) => fixture.run(body);

  test("a run that does not fit, with both numbers", async () => {
    const error = await create({ model: { n_layer: 96, n_embd: 12_288, n_head: 96 } }).catch((error) => error);
    expect(error).toBeInstanceOf(UnprocessableError);
    expect(error.extra.facts.bytes_available).toBe(2 ** 33);
    expect(error.extra.facts.bytes_needed).toBeGreaterThan(2 ** 40);
    expect(fixture.reverie.runs.list({}, { after: null, limit: 10 })).toEqual([]);
  });

  test.each([
    ["an unknown dataset", { dataset: "nope" }, "dataset"],
    ["a contradiction", { model: { n_embd: 10, n_head: 3 } }, "model.n_head"],
    ["a corpus too short", { context_length: 20_000 }, "context_length"],
  ])("%s", async (_, body, path) => {
    const error = await create(body).catch((error) => error);
    expect(error).toBeInstanceOf(UnprocessableError);
    expect(error.extra.errors[0].path).toBe(path);
  });

  test("a deletion of a running run or of its dataset; afterwards nothing of it is left", async () => {
    const { runner, checkpoints } = fixture.reverie;
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 5);
    fixture.trainer.checkpointed(5);
    await expect(runner.remove(id)).rejects.toThrow(ConflictError);
    fixture.trainer.ended("succeeded", 5);
    await runner.remove(id);
    await fixture.reverie.removals.settle();
    expect(fixture.reverie.runs.find(id)).toBeUndefined();
    expect(checkpoints.ofRun(id)).toEqual([]);
    expect(fixture.events(id).map(({ type }) => type)).toEqual(["run.deleted"]);
    expect(fixture.points(id, ["train/loss"], 0, 100).get("train/loss")!.steps).toEqual([]);
    expect(existsSync(checkpoints.runFolder(id))).toBe(false);
  });
});

test("without a GPU there are no runs", async () => {
  const bare = await Fixture.open({ firstReport: { type: "no_device", message: "no Vulkan driver" } });
  expect(await bare.run().catch((error) => error)).toBeInstanceOf(NoDeviceError);
  await bare.close();
});
