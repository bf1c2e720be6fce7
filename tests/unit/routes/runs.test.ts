import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Random } from "#src/data/random.ts";
import { Fixture } from "../runs/fixture.ts";
import { call, upload } from "./http.ts";

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

test("runs are found by a part of their name, oldest first if asked, without their configuration if asked", async () => {
  const names = ["Shakespeare 1", "100% of it", "a_b", "shakes again", "aXb"];
  const ids: string[] = [];
  for (const name of names) ids.push(await fixture.run({ name }));
  const list = async (query: string) => (await get(`/api/runs?${query}`)).body;
  const found = async (query: string) => (await list(query)).data.map(({ name }) => name);
  expect(await found("q=SHAKES")).toEqual(["shakes again", "Shakespeare 1"]);
  expect(await found("q=%25")).toEqual(["100% of it"]);
  expect(await found("q=a_b")).toEqual(["a_b"]);
  expect(await found("q=shakes&status=running&status=queued&sort=created_at")).toEqual([
    "Shakespeare 1",
    "shakes again",
  ]);
  const paged: string[] = [];
  for (let after = ""; after !== null;) {
    const page = await list(`sort=created_at&limit=2${after && `&after=${after}`}`);
    paged.push(...page.data.map(({ id }) => id));
    after = page.next_cursor!;
  }
  expect(paged).toEqual(ids);
  expect(await found("sort=-created_at")).toEqual(names.toReversed());
  const full = (await get(`/api/runs/${ids[0]}`)).body;
  const { config: _, ...summary } = full;
  expect((await list("view=summary&sort=created_at&limit=1")).data[0]).toEqual(summary as typeof full);
  for (const query of ["sort=name", "view=short", "q="]) expect((await get(`/api/runs?${query}`)).status).toBe(400);
});

describe("names and tags that would mislead or vanish are refused by field:", () => {
  const raw = (json: string) => call(fixture, "POST", "/api/runs", json, { "content-type": "application/json" });
  test.each<[string, string, string]>([
    ["a line break", '{"dataset":"sample","name":"a\\nb"}', "name"],
    ["a line break at the end", '{"dataset":"sample","name":"a\\n"}', "name"],
    ["an escape sequence", '{"dataset":"sample","name":"\\u001b[31mred"}', "name"],
    ["DEL", '{"dataset":"sample","name":"a\\u007f"}', "name"],
    ["a turn of direction", '{"dataset":"sample","name":"a\\u202etxt"}', "name"],
    ["a tag with a line break", '{"dataset":"sample","tags":{"a\\nb":"1"}}', "tags.a\nb"],
    ["a tag named __proto__", '{"dataset":"sample","tags":{"__proto__":"1"}}', "tags.__proto__"],
    ["a field named __proto__", '{"dataset":"sample","__proto__":{"name":"x"}}', ""],
    [
      "65 tags",
      JSON.stringify({ dataset: "sample", tags: Object.fromEntries([...Array(65).keys()].map((n) => [n, ""])) }),
      "tags",
    ],
  ])("%s", async (_, json, path) => {
    const { status, body } = await raw(json);
    expect(status).toBe(400);
    expect(body.errors.map(({ path }) => path)).toEqual([path]);
    const id = await fixture.run({ tags: { kept: "1" } });
    const { name, tags } = JSON.parse(json);
    if (name === undefined && tags === undefined) return;
    const changed = await call(fixture, "PATCH", `/api/runs/${id}`, json.replace('"dataset":"sample",', ""), {
      "content-type": "application/json",
    });
    expect([changed.status, changed.body.errors.map(({ path }) => path)]).toEqual([400, [path]]);
    expect((await get(`/api/runs/${id}`)).body).toMatchObject({ tags: { kept: "1" } });
  });

  test("others are kept as they are, whatever they mean to JavaScript", async () => {
    const tags = { constructor: "a", toString: "b", "": undefined, "ünï 🐍": "c" };
    const { status, body } = await post("/api/runs", { dataset: "sample", name: " naïve 名前 👩‍🚀 ", tags });
    expect(status).toBe(202);
    expect(body).toMatchObject({ name: "naïve 名前 👩‍🚀", tags: { constructor: "a", toString: "b", "ünï 🐍": "c" } });
  });
});

test("a change of a run is told, with what changed, and what is so already is no change", async () => {
  const id = await fixture.run({ tags: { team: "a" } });
  const patch = (body: object) => call(fixture, "PATCH", `/api/runs/${id}`, body);
  const updates = () =>
    fixture.events(id).filter(({ type }) => type === "run.updated").map(({ data: { request_id: _, ...data } }) => data);
  await patch({});
  await patch({ name: "sample", tags: { team: "a" }, priority: 0 });
  expect(updates()).toEqual([]);
  await patch({ name: "new", tags: { team: "a" } });
  await patch({ priority: 5, tags: {} });
  expect(updates()).toEqual([
    { name: "new", changed: { name: "new" } },
    { name: "new", changed: { tags: {}, priority: 5 } },
  ]);
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
    estimated_seconds: number;
    problems: Reason[];
    warnings: Reason[];
    notes: string[];
  }
  interface Reason {
    path: string;
    message: string;
    suggestion?: number | string;
  }
  const plan = (body: object) => call<Plan>(fixture, "POST", "/api/plan", body);

  test("of what fits", async () => {
    const { status, body } = await plan({ dataset: "sample" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ fits: true, device: { name: "fake adapter" } });
    // The products at the measured speed, and 108 dispatches beside them.
    expect(body.estimated_seconds_per_step).toBeWithin(body.flops_per_step / 100e9, 2 * body.flops_per_step / 100e9);
    expect(body).toMatchObject({ problems: [], warnings: [] });
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

  test("of a text too short for the context says so as the run's refusal does, with a context that would do", async () => {
    await upload(fixture, "short", "abcde ".repeat(8).slice(0, 45));
    const { body } = await plan({ dataset: "short" });
    expect(body.fits).toBe(false);
    const [problem] = body.problems;
    expect(problem).toMatchObject({ path: "context_length", suggestion: 32 });
    expect(problem.message).toContain("41 tokens; a window of context_length 64 needs 65: use context_length 32");
    const refused = await post("/api/runs", { dataset: "short" });
    expect([refused.status, refused.body.errors]).toEqual([422, [{ path: problem.path, message: problem.message }]]);
    expect((await plan({ dataset: "short", context_length: 32 })).body).toMatchObject({ fits: true, problems: [] });
    expect((await post("/api/runs", { dataset: "short", context_length: 32 })).status).toBe(202);
  });

  test("counts what a run does beside its steps", async () => {
    const quiet = { dataset: "sample", eval: { batches: 1 }, sample: { every: 0 } };
    const [base, sampled, evaluated, checkpointed] = await Promise.all(
      [
        quiet,
        { ...quiet, sample: { every: 10, max_tokens: 1000 } },
        { ...quiet, eval: { every: 10, batches: 20 } },
        { ...quiet, checkpoint: { every: 1 } },
      ].map(async (body) => (await plan(body)).body),
    );
    expect(base.estimated_seconds).toBeGreaterThan(2000 * base.estimated_seconds_per_step);
    for (const { estimated_seconds } of [sampled, evaluated, checkpointed]) {
      expect(estimated_seconds).toBeGreaterThan(1.05 * base.estimated_seconds);
    }
  });

  test("goes by what a run of the same shape took here", async () => {
    await fixture.run();
    fixture.trainer.started();
    fixture.trainer.progress(1, 9);
    expect((await plan({ dataset: "sample" })).body.estimated_seconds_per_step).not.toBe(0.01);
    fixture.trainer.progress(10, 20);
    const { body } = await plan({ dataset: "sample", max_steps: 5000 });
    expect(body.estimated_seconds_per_step).toBe(0.01);
    expect(body.estimated_seconds).toBeGreaterThan(50);
    expect((await plan({ dataset: "sample", batch_size: 11 })).body.estimated_seconds_per_step).not.toBe(0.01);
  });

  test.each([
    [{ max_steps: 1e9 }, "max_steps", /takes about \d+ (days|years)/],
    [{ max_steps: 200_000, context_length: 256 }, "max_steps", /takes about \d+ hours/],
    [{ model: { preset: "small", n_layer: 47 } }, "batch_size", /\d\d % of the memory/],
  ])("of %j warns, and the run may be started", async (fields, path, message) => {
    const { body } = await plan({ dataset: "sample", ...fields });
    expect(body.problems).toEqual([]);
    const warning = body.warnings.find((warning) => warning.path === path);
    expect(warning?.message).toMatch(message);
    const [parent, child] = path.split(".");
    const remedied = {
      ...fields,
      [parent]: child === undefined ? warning?.suggestion : { [child]: warning?.suggestion },
    };
    expect((await plan({ dataset: "sample", ...remedied })).body.warnings.filter((each) => each.path === path)).toEqual(
      [],
    );
  });

  test("has no problem if and only if the run is accepted, and names what it is refused for", async () => {
    const random = new Random(9, 0);
    const one = <T>(...values: T[]) => values[random.below(values.length)];
    await upload(fixture, "tiny", "ab ba");
    const sample = ["sample", "sample", "sample"];
    let [accepted, refused] = [0, 0];
    for (let i = 0; i < 150; i++) {
      const body = {
        dataset: one(...sample, ...sample, "tiny", "nowhere"),
        tokenizer: { kind: one("char", "char", "char", "byte", "byte", "byte", "bpe", "gpt2") },
        model: {
          preset: one("nano", "nano", "micro", "gpt2"),
          architecture: one("gpt2", "gpt2", "gpt2", "gpt2", "gpt2", "llama"),
          n_layer: one(undefined, 1, 2, 200),
          n_embd: one(undefined, 96, 48, 24, 20_000),
          n_head: one(undefined, 1, 2, 7),
        },
        context_length: one(undefined, undefined, 1, 8, 16, 30_000),
        batch_size: one(undefined, 1, 1, 7000),
        precision: one("f32", "f32", "f32", "f32", "f16"),
        validation_fraction: one(undefined, 0, 0.5, 0.00001),
        max_steps: one(undefined, 1, 1e9),
        optimizer: {
          kind: one("adamw", "adamw", "sgd", "sgd", "muon"),
          min_learning_rate: one(undefined, undefined, undefined, 1),
          warmup_steps: one(undefined, undefined, 50),
        },
        init_from: one(null, null, null, null, null, "a model"),
      };
      const planned = await call<Plan & { detail: string }>(fixture, "POST", "/api/plan", body);
      const created = await call<{ id: string; errors: Reason[]; detail: string }>(fixture, "POST", "/api/runs", body);
      if (created.status === 202) {
        expect([planned.status, planned.body.fits, planned.body.problems]).toEqual([200, true, []]);
        await call(fixture, "POST", `/api/runs/${created.body.id}/cancel`);
        if (fixture.trainer.commands.length > 0 && accepted === 0) fixture.trainer.ended("cancelled", 0);
        accepted++;
        continue;
      }
      expect(created.status).toBe(422);
      refused++;
      if (planned.status === 422) {
        expect(planned.body.detail).toBe(created.body.detail);
      } else {
        expect(planned.body.fits).toBe(false);
        expect(planned.body.problems.map(({ path, message }) => ({ path, message }))).toEqual(created.body.errors);
      }
    }
    expect(Math.min(accepted, refused)).toBeGreaterThan(5);
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
