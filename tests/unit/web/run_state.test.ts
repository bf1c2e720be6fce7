import { describe, expect, test } from "bun:test";
import { MODEL_PRESETS } from "#src/model/config.ts";
import { PRESETS } from "#src/web/presets.js";
import { reduceHistory, reduceRun, storedHistory } from "#src/web/run_state.js";
import type { RunEvent, Sample, SampledEvent } from "#src/web/types.d.ts";
import { someRun } from "./some_run.ts";

const RUN = someRun();

let sequence = 0;
const envelope = () => ({ run_id: RUN.id, sequence: ++sequence, timestamp: "2026-01-01T00:00:00.000Z" });
const started = (step: number): RunEvent => ({ ...envelope(), type: "run.started", data: { step } });
const evaluated = (step: number, val_loss: number): RunEvent => ({
  ...envelope(),
  type: "run.evaluated",
  data: { step, val_loss },
});
const sampled = (step: number, text: string): SampledEvent => ({
  ...envelope(),
  type: "run.sampled",
  data: { step, prompt: "\n", text },
});
const lifecycle = (
  type: "run.queued" | "run.interrupted" | "run.paused" | "run.resumed" | "run.succeeded",
): RunEvent => ({
  ...envelope(),
  type,
  data: {},
});
/** Steps `from`…`to`, each with the loss `to + step / 100`, so that a rewritten step shows. */
const progress = (from: number, to: number): RunEvent => ({
  ...envelope(),
  type: "run.progress",
  data: {
    step: to,
    max_steps: 10,
    points: Array.from({ length: to - from + 1 }, (_, i) => from + i)
      .map((step) => ({ step, loss: to + step / 100, lr: 1e-3 * step, grad_norm: 1 })),
    tokens_per_second: 100 * to,
    eta_seconds: 10 - to,
  },
});

const EMPTY = storedHistory(RUN, null, []);
const historyOf = (...events: RunEvent[]) => events.reduce(reduceHistory, EMPTY);

describe("the row", () => {
  test("follows a run through pause, resume and the end", () => {
    const seen: [string, number][] = [];
    [
      lifecycle("run.queued"),
      started(0),
      progress(1, 4),
      lifecycle("run.paused"),
      lifecycle("run.resumed"),
      started(4),
      progress(5, 10),
      lifecycle("run.succeeded"),
    ].reduce((run, event) => {
      const next = reduceRun(run, event);
      seen.push([next.status, next.step]);
      return next;
    }, RUN);
    expect(seen).toEqual([
      ["queued", 0],
      ["running", 0],
      ["running", 4],
      ["paused", 4],
      ["queued", 4],
      ["running", 4],
      ["running", 10],
      ["succeeded", 10],
    ]);
  });

  test("keeps the newest of each metric", () => {
    const run = [progress(1, 2), evaluated(2, 3.5), progress(3, 4)].reduce(reduceRun, RUN);
    expect(run.last_metrics).toEqual({
      "train/loss": 4.04,
      "train/lr": 4e-3,
      "train/tokens_per_second": 400,
      "val/loss": 3.5,
    });
  });
});

describe("the history", () => {
  test("grows by progress, evaluations and samples", () => {
    const history = historyOf(
      started(0),
      progress(1, 2),
      evaluated(2, 3.5),
      sampled(2, "a"),
      progress(3, 4),
      sampled(4, "b"),
    );
    expect(history.train).toMatchObject({ width: 1, starts: [1, 2, 3, 4], count: [1, 1, 1, 1], lastStep: 4 });
    expect(history.validation).toEqual({ steps: [2], values: [3.5] });
    expect(history.samples.map((sample: Sample) => sample.text)).toEqual(["b", "a"]);
    expect(history).toMatchObject({ etaSeconds: 6, stale: false });
  });

  test("replayed from any point, ends the same: each step, evaluation and sample once", () => {
    const events = [
      started(0),
      progress(1, 3),
      evaluated(3, 3),
      sampled(3, "a"),
      progress(4, 6),
      evaluated(6, 2),
      sampled(6, "b"),
    ];
    const once = historyOf(...events);
    for (let from = 0; from < events.length; from++) {
      expect(events.slice(from).reduce(reduceHistory, once)).toEqual(once);
    }
  });

  test("an interrupted run that goes on from an earlier step rewrites what came after it", () => {
    const history = historyOf(
      started(0),
      progress(1, 4),
      evaluated(4, 3),
      sampled(4, "a"),
      progress(5, 8),
      evaluated(8, 2),
      sampled(8, "lost"),
      lifecycle("run.interrupted"),
      started(4),
      progress(5, 6),
    );
    expect(history.train).toMatchObject({ starts: [1, 2, 3, 4, 5, 6], mean: [4.01, 4.02, 4.03, 4.04, 6.05, 6.06] });
    expect(history.stale).toBe(false);
    expect(history.validation.steps).toEqual([4]);
    expect(history.samples.map((sample: Sample) => sample.text)).toEqual(["a"]);
  });

  test("begins with what is stored", () => {
    const stored = storedHistory(RUN, {
      train: undefined,
      tail: { steps: [1, 2], values: [4, 3] },
      validation: undefined,
    }, []);
    expect(reduceHistory(stored, progress(3, 4)).train.starts).toEqual([1, 2, 3, 4]);
    expect(stored.validation).toEqual({ steps: [], values: [] });
  });

  test("in a long run, a return into the middle of a bucket wants the curve read again", () => {
    const long = { ...RUN, max_steps: 6000 };
    const events = [started(0), progress(1, 8), lifecycle("run.interrupted")];
    const history = events.reduce(reduceHistory, storedHistory(long, null, []));
    expect(history).toMatchObject({ train: { width: 3, starts: [1, 4, 7], count: [3, 3, 2] }, stale: false });
    expect(reduceHistory(history, started(6))).toMatchObject({ train: { starts: [1, 4], lastStep: 6 }, stale: false });
    expect(reduceHistory(history, started(5))).toMatchObject({ train: { starts: [1, 4], lastStep: 5 }, stale: true });
  });

  test("of stored samples, newest first, shows those that no restart voided", () => {
    const log = [sampled(2, "a"), sampled(4, "lost"), sampled(6, "lost"), sampled(4, "b"), sampled(8, "lost too")]
      .reverse();
    const { samples } = storedHistory({ ...RUN, step: 5 }, null, log);
    expect(samples.map((sample: Sample) => sample.text)).toEqual(["b", "a"]);
  });
});

test("the form's presets are the service's", () => {
  expect(PRESETS).toEqual(MODEL_PRESETS);
});
