import { beforeEach, describe, expect, test } from "bun:test";
import { ApiError } from "#src/web/api.js";
import { Store } from "#src/web/store.js";
import type * as api from "#src/web/api.js";
import type { RunEvent } from "#src/web/types.d.ts";
import { someRun } from "./some_run.ts";

const run = (id: string) =>
  someRun({ id, name: `named ${id}`, status: "running", step: 2, last_metrics: { "train/loss": 2 } });

const problem = (status: number) => new ApiError({ title: "T", status, detail: "the database is locked" });

/** A service whose answers and failures the test sets. */
class FakeService {
  runs = new Map(["run_1", "run_2", "run_3"].map((id) => [id, run(id)]));
  fails: Partial<Record<"listRuns" | "getRun" | "getLosses" | "listCheckpoints", unknown>> = {};
  lossReads = 0;

  #answer<T>(call: keyof FakeService["fails"], value: T): Promise<T> {
    return call in this.fails ? Promise.reject(this.fails[call]) : Promise.resolve(value);
  }
  listRuns = () =>
    this.#answer("listRuns", { data: [...this.runs.values()].reverse(), has_more: false, next_cursor: null });
  getRun = (id: string) => {
    const known = this.runs.get(id);
    return known ? this.#answer("getRun", known) : Promise.reject(problem(404));
  };
  getLosses = () => {
    this.lossReads++;
    return this.#answer("getLosses", {
      train: undefined,
      tail: { steps: [1, 2], values: [3, 2] },
      validation: undefined,
    });
  };
  listSamples = () => Promise.resolve({ data: [], has_more: false, next_cursor: null });
  listCheckpoints = () => this.#answer("listCheckpoints", { data: [], has_more: false, next_cursor: null });
}

let service: FakeService;
let store: Store;
beforeEach(async () => {
  service = new FakeService();
  store = new Store(() => {}, service as unknown as typeof api);
  await store.loadRuns();
});

let sequence = 0;
const event = (type: string, run_id: string | null, data: object = {}) =>
  ({ type, run_id, data, sequence: ++sequence, timestamp: "2026-01-01T00:00:00.000Z" }) as RunEvent;

describe("a read that fails", () => {
  test("of the curve leaves the row shown, says so at the run, and the next one mends it", async () => {
    service.fails.getLosses = problem(503);
    await store.select("run_2");
    expect(store.selectedRun?.name).toBe("named run_2");
    expect(store.selection).toMatchObject({ history: null, problem: problem(503) });
    // Other runs have nothing to do with it.
    service.fails = {};
    await store.select("run_1");
    expect(store.selection).toMatchObject({ problem: null, history: { train: { lastStep: 2 } } });
    await store.select("run_2");
    service.fails.getLosses = new TypeError("Failed to fetch");
    await store.readAgain();
    expect(store.selection?.history?.train.lastStep).toBe(2);
    expect(store.selection?.problem).toBeInstanceOf(TypeError);
    service.fails = {};
    await store.readAgain();
    expect(store.selection?.problem).toBeNull();
  });

  test("of the run itself, while the server is away, mends on return", async () => {
    service.fails = { getRun: new TypeError("x"), getLosses: new TypeError("x"), listRuns: new TypeError("x") };
    await store.select("run_3");
    await store.loadRuns();
    expect(store.selection).toMatchObject({ history: null, gone: null });
    expect(store.listProblem).toBeInstanceOf(TypeError);
    expect(store.runs).toHaveLength(3);
    service.fails = {};
    await store.readAgain();
    expect(store.selection).toMatchObject({ problem: null, history: { train: { lastStep: 2 } } });
    expect(store.listProblem).toBeNull();
  });

  test("after an event is told where the run is shown, and never thrown", async () => {
    await store.select("run_1");
    service.fails = { getRun: problem(503), listCheckpoints: problem(503) };
    await store.receive(event("run.paused", "run_1"));
    expect(store.selection?.problem).toEqual(problem(503));
    service.fails = { listCheckpoints: problem(503) };
    await store.readAgain();
    await store.receive(event("run.checkpointed", "run_1"));
    expect(store.selection?.problem).toEqual(problem(503));
  });

  test("because nobody is signed in is the form's to tell", async () => {
    service.fails = { getLosses: problem(401), listRuns: problem(401) };
    await store.select("run_1");
    await store.loadRuns();
    expect([store.selection?.problem, store.listProblem]).toEqual([null, null]);
  });
});

describe("a change elsewhere", () => {
  test("a deleted run goes from the list, and its view says so", async () => {
    await store.select("run_2");
    service.runs.delete("run_2");
    await store.receive(event("run.deleted", "run_2"));
    expect(store.runs.map(({ id }) => id)).toEqual(["run_3", "run_1"]);
    expect(store.selection).toMatchObject({ gone: "deleted", name: "named run_2" });
    await store.select("run_9");
    expect(store.selection).toMatchObject({ gone: "unknown" });
  });

  test("a deletion that overtakes the list's answer is not undone by it", async () => {
    const reading = store.loadRuns();
    await store.receive(event("run.deleted", "run_1"));
    await reading;
    expect(store.runs.map(({ id }) => id)).toEqual(["run_3", "run_2"]);
  });

  test("deleted while nobody told the page, a run goes with the next read of the list", async () => {
    service.runs.delete("run_1");
    await store.readAgain();
    expect(store.runs.map(({ id }) => id)).toEqual(["run_3", "run_2"]);
  });

  test("a new name is read", async () => {
    service.runs.set("run_1", { ...run("run_1"), name: "renamed" });
    await store.receive(event("run.updated", "run_1"));
    expect(store.runs.at(-1)?.name).toBe("renamed");
  });

  test("of a dataset is none of the runs'", async () => {
    await store.receive(event("dataset.created", null, { id: "ds_2" }));
    expect(store.runs).toHaveLength(3);
  });
});

test("a return into the middle of a bucket has the curve read again", async () => {
  service.runs.set("run_1", { ...run("run_1"), max_steps: 6000 });
  await store.select("run_1");
  const points = [3, 4, 5].map((step) => ({ step, loss: 1, lr: 1, grad_norm: 1 }));
  const progress = { step: 5, max_steps: 6000, points, tokens_per_second: 1, eta_seconds: 1 };
  await store.receive(event("run.progress", "run_1", progress));
  const reads = service.lossReads;
  await store.receive(event("run.started", "run_1", { step: 4 }));
  expect(service.lossReads).toBe(reads + 1);
  expect(store.selection?.history).toMatchObject({ stale: false, train: { lastStep: 2 } });
});
