import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { PulledBody } from "#src/pulled_body.ts";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
let id: string;
beforeAll(async () => {
  fixture = await Fixture.open();
  id = await fixture.run({ max_steps: 10_000 });
  fixture.trainer.started();
  fixture.trainer.progress(1, 10_000, (step) => step === 5000 ? 99 : step === 7 ? Infinity : step % 2);
  fixture.trainer.evaluated(250, 2);
});
afterAll(() => fixture.close());

const get = (path: string, headers?: Record<string, string>) => call(fixture, "GET", path, undefined, headers);

test("every point, written in pieces, is one JSON document", async () => {
  const { body, headers } = await get(`/api/runs/${id}/metrics`);
  expect(headers.get("content-type")).toBe("application/json");
  expect(body.run_id).toBe(id);
  expect(Object.keys(body.series)).toHaveLength(10);
  const { steps, values, total_points } = body.series["train/loss"];
  expect(steps).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
  expect(values).toEqual(steps.map((step: number) => step === 5000 ? 99 : step === 7 ? null : step % 2));
  expect(total_points).toBe(10_000);
});

test("no points: what was asked for by name is there, and empty", async () => {
  const path = `/api/runs/${id}/metrics?from_step=20000`;
  expect<unknown>((await get(path)).body).toEqual({ run_id: id, series: {} });
  expect<unknown>((await get(`${path}&name=val/loss`)).body.series).toEqual({
    "val/loss": { steps: [], values: [], total_points: 0 },
  });
});

describe("buckets", () => {
  const path = () => `/api/runs/${id}/metrics?name=train/loss&name=val/loss&buckets=4`;

  test("as JSON", async () => {
    const { body } = await get(path());
    expect<unknown>(body.series["train/loss"]).toEqual({
      steps: [1, 2501, 5001, 7501],
      mean: [1249 / 2499, (1250 + 99) / 2500, 0.5, 0.5],
      min: [0, 0, 0, 0],
      max: [1, 99, 1, 1],
      count: [2499, 2500, 2500, 2500],
      nonfinite: [1, 0, 0, 0],
      from_step: 1,
      bucket_steps: 2500,
      total_points: 10_000,
    });
    expect(body.series["val/loss"]).toMatchObject({ steps: [250], mean: [2], count: [1] });
  });

  test("as rows", async () => {
    const csv = (await get(`${path()}&from_step=2501&to_step=5000`, { accept: "text/csv" })).text;
    expect(csv.split("\n").slice(0, 2)).toEqual([
      "name,step,mean,min,max,count,nonfinite",
      "train/loss,2501,0.5008,0,1,625,0",
    ]);
    const ndjson = (await get(`${path()}&to_step=7`, { accept: "application/x-ndjson" })).text.trim().split("\n");
    expect(JSON.parse(ndjson.at(-1)!)).toEqual({
      name: "train/loss",
      step: 7,
      mean: null,
      min: null,
      max: null,
      count: 0,
      nonfinite: 1,
    });
  });

  test("not together with max_points, and not too many", async () => {
    expect((await get(`${path()}&max_points=10`)).status).toBe(400);
    expect((await get(`/api/runs/${id}/metrics?buckets=2001`)).status).toBe(400);
  });
});

test("max_points as rows", async () => {
  const csv = (await get(`/api/runs/${id}/metrics?name=train/loss&max_points=5`, { accept: "text/csv" })).text;
  expect(csv).toBe(
    "name,step,value\ntrain/loss,1,1\ntrain/loss,2,0\ntrain/loss,7,\ntrain/loss,5000,99\ntrain/loss,10000,0\n",
  );
});

describe("several runs in one call", () => {
  test("each once, in the order they were named", async () => {
    const other = await fixture.run();
    const { body, status } = await get(`/api/metrics?run=${other}&run=${id}&run=${other}&name=val/loss&buckets=10`);
    expect(status).toBe(200);
    expect(body.data.map(({ run_id }: { run_id: string }) => run_id)).toEqual([other, id]);
    expect(body.data.map(({ series }: { series: Record<string, unknown> }) => series["val/loss"])).toMatchObject([
      { steps: [], total_points: 0 },
      { steps: [250], mean: [2] },
    ]);
  });

  test("one that is not there, none, and too many are refused", async () => {
    expect((await get(`/api/metrics?run=${id}&run=run_nope`)).status).toBe(404);
    expect((await get("/api/metrics?name=val/loss")).status).toBe(400);
    expect((await get(`/api/metrics?${"run=a&".repeat(51)}`)).status).toBe(400);
  });
});

test("a client that goes away stops the reading", async () => {
  const { body } = await fixture.app.request(`/api/runs/${id}/metrics`, { headers: { accept: "text/csv" } });
  const { pieces } = body as PulledBody;
  expect(new TextDecoder().decode((await pieces.next())!)).toBe("name,step,value\n");
  pieces.leave();
  expect(await pieces.next()).toBeNull();
});
