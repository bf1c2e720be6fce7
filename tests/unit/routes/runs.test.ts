import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const get = (path: string, headers = {}) => call(fixture, "GET", path, undefined, headers);
const post = (path: string, body?: unknown) => call(fixture, "POST", path, body);

test("a run answers with everything resolved", async () => {
  const { status, body } = await post("/api/runs", { dataset: "sample", tags: { a: "1" } });
  expect(status).toBe(202);
  expect(Object.keys(body).toSorted()).toEqual([
    "attempts",
    "best_val_loss",
    "config",
    "created_at",
    "dataset_id",
    "device",
    "epoch",
    "error",
    "finished_at",
    "id",
    "last_metrics",
    "max_steps",
    "name",
    "parameters",
    "priority",
    "skipped_steps",
    "started_at",
    "status",
    "step",
    "tags",
    "tokens_seen",
    "waits_for_storage",
  ]);
  expect(body).toMatchObject({ status: "queued", name: "sample", max_steps: 2000, attempts: 0 });
  expect(body.config).toMatchObject({
    tokenizer: { kind: "char", vocab_size: 27 },
    model: { architecture: "gpt2", n_layer: 4, n_head: 4, n_embd: 128 },
    context_length: 64,
    optimizer: { learning_rate: 1e-3, min_learning_rate: 1e-4, warmup_steps: 100 },
  });
  expect(body.id).toMatch(/^run_[0-9a-z]{26}$/);
});

test("what the device cannot do is refused at its field", async () => {
  const refused = async (request: object) => {
    const { status, body } = await post("/api/runs", { dataset: "sample", ...request });
    expect(status).toBe(422);
    return body.errors.map(({ path }: { path: string }) => path);
  };
  expect(await refused({ precision: "f16" })).toEqual(["precision"]);
  // It would fit the memory, but 57,600 rows are more than a software adapter's loops count.
  expect(await refused({ batch_size: 900, model: { n_layer: 1, n_head: 1, n_embd: 4 } })).toEqual(["batch_size"]);
});

test("runs are filtered by status and tags, renamed and retagged", async () => {
  const first = await fixture.run({ tags: { team: "a", "odd.key": "x y" } });
  const second = await fixture.run({ tags: { team: "b" } });
  const ids = async (query: string) => (await get(`/api/runs?${query}`)).body.data.map(({ id }) => id);
  expect(await ids("status=queued")).toEqual([second]);
  expect(await ids("status=queued&status=running")).toEqual([second, first]);
  expect(await ids("tag.team=a")).toEqual([first]);
  expect(await ids("tag.team=a&tag.odd.key=x%20y")).toEqual([first]);
  expect(await ids("tag.team=a&tag.odd.key=z")).toEqual([]);
  expect((await get("/api/runs?status=done")).status).toBe(400);
  const changed = await call(fixture, "PATCH", `/api/runs/${first}`, { name: "new", tags: { team: "b" } });
  expect(changed.body).toMatchObject({ name: "new", tags: { team: "b" }, config: { name: "new" } });
  expect(await ids("tag.team=b")).toEqual([second, first]);
  expect((await call(fixture, "PATCH", `/api/runs/${first}`, { status: "failed" })).status).toBe(400);
});

test("actions answer 202, and 409 where they mean nothing", async () => {
  const id = await fixture.run();
  expect((await post(`/api/runs/${id}/resume`)).status).toBe(409);
  expect((await post(`/api/runs/${id}/checkpoints`)).status).toBe(202);
  expect(fixture.trainer.commands.at(-1)).toEqual({ type: "checkpoint", run_id: id });
  expect((await post(`/api/runs/${id}/pause`, {})).status).toBe(202);
  fixture.trainer.ended("paused", 3);
  expect((await post(`/api/runs/${id}/checkpoints`)).status).toBe(409);
  expect((await post(`/api/runs/${id}/pause`)).status).toBe(409);
  expect((await post(`/api/runs/${id}/resume`)).status).toBe(202);
  expect((await call(fixture, "DELETE", `/api/runs/${id}`)).status).toBe(409);
  expect((await post(`/api/runs/${id}/cancel`)).status).toBe(202);
  fixture.trainer.ended("cancelled", 3);
  expect((await post(`/api/runs/${id}/cancel`)).status).toBe(409);
  expect((await call(fixture, "DELETE", `/api/runs/${id}`)).status).toBe(204);
  for (const path of ["", "/metrics", "/events", "/checkpoints"]) {
    expect((await get(`/api/runs/${id}${path}`)).status).toBe(404);
  }
});

describe("a plan", () => {
  interface Plan {
    parameters: number;
    flops_per_step: number;
    bytes: { parameters: number; total: number };
    fits: boolean;
    estimated_seconds_per_step: number;
    notes: string[];
  }
  const plan = (body: object) => call<Plan>(fixture, "POST", "/api/plan", body);

  test("of what fits", async () => {
    const { status, body } = await plan({ dataset: "sample" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ fits: true, device: { name: "fake adapter" } });
    expect(body.estimated_seconds_per_step).toBeCloseTo(body.flops_per_step / 100e9, 6);
    expect(body.bytes.total).toBeGreaterThan(body.bytes.parameters * 4);
  });

  test("of GPT-3, which nothing here holds", async () => {
    const { status, body } = await plan({
      dataset: "sample",
      tokenizer: { kind: "gpt2" },
      model: { n_layer: 96, n_head: 96, n_embd: 12_288 },
      context_length: 2048,
      batch_size: 1,
    });
    expect(status).toBe(200);
    expect(body.fits).toBe(false);
    expect(body.parameters / 175e9).toBeCloseTo(1, 1);
    expect(body.notes.join("\n")).toContain("tokenizer.kind");
  });

  test("of a contradiction is refused", async () => {
    expect((await post("/api/plan", { dataset: "sample", model: { n_embd: 10, n_head: 3 } })).status).toBe(422);
  });
});

describe("metrics", () => {
  let id: string;
  beforeEach(async () => {
    id = await fixture.run({ max_steps: 1000 });
    fixture.trainer.started();
    fixture.trainer.progress(1, 1000, (step) => step === 500 ? 99 : step === 7 ? Infinity : 1);
    fixture.trainer.evaluated(250, 2);
  });

  test("columns of every metric that has points", async () => {
    const { body } = await get(`/api/runs/${id}/metrics`);
    expect(Object.keys(body.series).toSorted()).toEqual([
      "train/epoch",
      "train/grad_norm",
      "train/loss",
      "train/lr",
      "train/mfu",
      "train/step_ms",
      "train/tokens_per_second",
      "val/bpb",
      "val/loss",
      "val/perplexity",
    ]);
    expect(body.series["val/loss"]).toEqual({ steps: [250], values: [2], total_points: 1 });
    expect(body.series["train/loss"].steps).toHaveLength(1000);
    expect(body.series["train/loss"].values[6]).toBeNull();
  });

  test("a range, thinned without losing the spike", async () => {
    const { body } = await get(
      `/api/runs/${id}/metrics?name=train/loss&name=val/perplexity&from_step=401&to_step=600&max_points=10`,
    );
    expect(Object.keys(body.series)).toEqual(["train/loss", "val/perplexity"]);
    const { steps, values, total_points } = body.series["train/loss"];
    expect(total_points).toBe(200);
    expect(steps.length).toBeLessThanOrEqual(10);
    expect(values).toContain(99);
  });

  test("rows as CSV and NDJSON", async () => {
    const path = `/api/runs/${id}/metrics?name=train/loss&from_step=7&to_step=8`;
    expect((await get(path, { accept: "text/csv" })).text).toBe("name,step,value\ntrain/loss,7,\ntrain/loss,8,1\n");
    const rows = (await get(path, { accept: "application/x-ndjson" })).text.trim().split("\n").map((row) =>
      JSON.parse(row)
    );
    expect(rows).toEqual([{ name: "train/loss", step: 7, value: null }, { name: "train/loss", step: 8, value: 1 }]);
  });

  test("an unknown name is refused", async () => {
    expect((await get(`/api/runs/${id}/metrics?name=train/nope`)).status).toBe(400);
  });
});
