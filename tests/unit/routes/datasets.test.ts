import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fixture } from "../runs/fixture.ts";
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

test("the same bytes again are the first dataset", async () => {
  const first = await upload(fixture, "a", "same");
  const again = await upload(fixture, "b", "same");
  expect(again.status).toBe(200);
  expect(again.body).toEqual(first.body);
  expect(filesOnDisk()).toHaveLength(2); // the sample and this one
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
