import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrations } from "../../fault/old_database.ts";
import { Fixture, SAMPLE } from "../runs/fixture.ts";
import { call, upload } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open({ maxUploadBytes: 100_000 });
});
afterEach(() => fixture.close());

const filesOnDisk = () => readdirSync(join(fixture.folder, "datasets"));

test("a text becomes a dataset, found by id and by name", async () => {
  const { status, body } = await upload(fixture, "greeting", "héllo\n");
  expect(status).toBe(201);
  expect(body).toMatchObject({ name: "greeting", bytes: 7, characters: 6, distinct_characters: 5, documents: 1 });
  expect(body.sha256).toMatch(/^[0-9a-f]{64}$/);
  for (const key of [body.id, "greeting"]) {
    expect((await call(fixture, "GET", `/api/datasets/${key}`)).body).toEqual(body);
  }
  const preview = await call(fixture, "GET", "/api/datasets/greeting/preview?offset=1&limit=2");
  expect(preview.body).toMatchObject({ text: "él", offset: 1 });
});

describe("the same bytes under a second name", () => {
  const names = (body: object) => (body as { names: string[] }).names;
  const find = (key: string) => call(fixture, "GET", `/api/datasets/${key}`);

  test("are one dataset, which either name finds", async () => {
    const text = "same ".repeat(500);
    const first = await upload(fixture, "z", text);
    expect(names(first.body)).toEqual(["z"]);
    const again = await upload(fixture, "b", text);
    expect(again.status).toBe(200);
    expect(again.body).toEqual({ ...first.body, names: ["z", "b"] } as typeof first.body);
    expect((await upload(fixture, "b", text)).body).toEqual(again.body);
    expect((await upload(fixture, "z", text)).status).toBe(200);
    for (const key of [first.body.id, "z", "b"]) expect((await find(key)).body).toEqual(again.body);
    expect((await call(fixture, "GET", "/api/datasets/b/preview?limit=4")).body).toMatchObject({ text: "same" });
    expect((await call(fixture, "GET", "/api/datasets")).body.data[0]).toEqual(again.body);
    expect(filesOnDisk()).toHaveLength(2); // the sample and this one
    const run = await call(fixture, "POST", "/api/runs", { dataset: "b" });
    expect(run.body).toMatchObject({ dataset_id: first.body.id, config: { dataset: "b" } });
    expect((await call(fixture, "POST", "/api/plan", { dataset: "b" })).status).toBe(200);
  });

  test("are all gone when one is deleted, and their names free", async () => {
    const { body } = await upload(fixture, "a", "same");
    await upload(fixture, "b", "same");
    expect((await upload(fixture, "b", "other")).status).toBe(409);
    expect((await upload(fixture, "b", "other")).body.detail).toContain(body.id);
    expect((await call(fixture, "DELETE", "/api/datasets/b")).status).toBe(204);
    for (const key of [body.id, "a", "b"]) expect((await find(key)).status).toBe(404);
    expect((await upload(fixture, "b", "other")).status).toBe(201);
    expect((await upload(fixture, "a", "same")).status).toBe(201);
  });

  test("may be the sample's, which stays", async () => {
    expect((await upload(fixture, "mine", SAMPLE)).status).toBe(200);
    expect((await call(fixture, "DELETE", "/api/datasets/mine")).status).toBe(409);
    expect((await find("mine")).body.name).toBe("sample");
  });

  test("may be those of a sample that is to be", async () => {
    const { db } = fixture.reverie;
    db.$client.exec("update datasets set name = 'mine'; update dataset_names set name = 'mine'");
    await fixture.boot();
    expect(names((await find("sample")).body)).toEqual(["mine", "sample"]);
    expect((await call(fixture, "DELETE", "/api/datasets/mine")).status).toBe(409);
    expect(filesOnDisk()).toHaveLength(1);
  });

  test("are a hundred names at most", async () => {
    for (let i = 0; i < 100; i++) await upload(fixture, `n${i}`, "same");
    expect((await upload(fixture, "n100", "same")).status).toBe(409);
    expect((await upload(fixture, "n99", "same")).status).toBe(200);
  });
});

test("datasets of a database from before names had a table are found by name", () => {
  const { $client } = fixture.reverie.db;
  const { sql } = migrations().find(({ tag }) => tag.endsWith("dataset_names"))!;
  $client.exec("drop table dataset_names");
  for (const statement of sql.split("--> statement-breakpoint")) $client.exec(statement);
  expect(fixture.reverie.datasets.find("sample")?.names).toEqual(["sample"]);
});

test("the same bytes at the same time are one dataset", async () => {
  const answers = await Promise.all(["a", "b", "c"].map((name) => upload(fixture, name, "same")));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 201]);
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(filesOnDisk()).toHaveLength(2);
});

test("an Idempotency-Key covers name and bytes", async () => {
  const key = { "idempotency-key": "k" };
  const first = await upload(fixture, "a", "one", key);
  const again = await upload(fixture, "a", "one", key);
  expect([again.status, again.text]).toEqual([201, first.text]);
  expect((await upload(fixture, "a", "two", key)).status).toBe(422);
  expect(filesOnDisk()).toHaveLength(2);
});

describe("is refused, and nothing left behind:", () => {
  const bad = new Uint8Array([104, 105, 0xff, 104]);
  const failing = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("half"));
        controller.error(new Error("the client went away"));
      },
    });
  test.each<[string, string, BodyInit | (() => BodyInit), string, number, string]>([
    ["bytes that are not UTF-8", "x", bad, "text/plain", 400, "offset 2"],
    ["an empty text", "x", "", "text/plain", 422, "empty"],
    ["a text too large", "x", "a".repeat(100_001), "text/plain", 413, "100000"],
    ["another media type", "x", "{}", "application/x-ndjson", 415, "text/plain"],
    ["another charset", "x", "a", "text/plain; charset=latin1", 415, "utf-8"],
    ["other bytes under a taken name", "sample", "a", "text/plain", 409, "sample"],
    ["a name that is none", "a%2Fb", "a", "text/plain", 400, "query"],
    ["a name with a line break", "a%0Ab", "a", "text/plain", 400, "query"],
    ["a name with a NUL", "a%00", "a", "text/plain", 400, "NUL"],
    ["a name that turns the text around", "a%E2%80%AEtxt.exe", "a", "text/plain", 400, "query"],
    ["a name with a line separator", "a%E2%80%A8b", "a", "text/plain", 400, "query"],
    ["a name that no client can ask for", "..", "a", "text/plain", 400, "query"],
    ["a client that goes away", "x", failing, "text/plain", 500, ""],
  ])("%s", async (_, name, body, type, status, detail) => {
    const answer = await upload(fixture, name, typeof body === "function" ? body() : body, { "content-type": type });
    expect(answer.status).toBe(status);
    expect(answer.body.detail).toContain(detail);
    expect(filesOnDisk()).toHaveLength(1);
    expect((await call(fixture, "GET", "/api/datasets")).body.data).toHaveLength(1);
  });
});

test("a dataset is deleted once no unfinished run uses it", async () => {
  const { body } = await upload(fixture, "mine", "abc ".repeat(500));
  const runId = await fixture.run({ dataset: "mine" });
  expect((await call(fixture, "DELETE", `/api/datasets/${body.id}`)).status).toBe(409);
  fixture.trainer.ended("succeeded", 1);
  const shard = join(fixture.folder, "tokens", `${body.sha256}.char.tokens`);
  writeFileSync(shard, "");
  expect((await call(fixture, "DELETE", "/api/datasets/mine")).status).toBe(204);
  expect(existsSync(shard)).toBe(false);
  expect((await call(fixture, "GET", "/api/datasets/mine")).status).toBe(404);
  expect((await call(fixture, "GET", `/api/runs/${runId}`)).body.dataset_id).toBeNull();
  expect(filesOnDisk()).toHaveLength(1);
});

test("the sample is always there", async () => {
  expect((await call(fixture, "DELETE", "/api/datasets/sample")).status).toBe(409);
  const before = (await call(fixture, "GET", "/api/datasets/sample")).body.id;
  await fixture.boot();
  expect((await call(fixture, "GET", "/api/datasets/sample")).body.id).toBe(before);
});
