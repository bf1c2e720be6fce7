import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fixture } from "../runs/fixture.ts";
import { parseRange } from "#routes/serve_file.ts";
import { call } from "./http.ts";

let fixture: Fixture;
let runId: string;
beforeEach(async () => {
  fixture = await Fixture.open();
  runId = await fixture.run();
  fixture.trainer.started();
  fixture.trainer.checkpointed(0);
  fixture.trainer.checkpointed(10, 2);
  fixture.trainer.checkpointed(20, 3);
});
afterEach(() => fixture.close());

const list = async () => (await call(fixture, "GET", `/api/runs/${runId}/checkpoints`)).body.data;
/** `weights of step 20` */
const CONTENT = "weights of step 20";

test("checkpoints are listed, newest first, with the best marked", async () => {
  const checkpoints = await list();
  expect(checkpoints.map(({ step }) => step)).toEqual([20, 10, 0]);
  expect(checkpoints.map(({ is_best }) => is_best)).toEqual([false, true, false]);
  const one = (await call(fixture, "GET", `/api/checkpoints/${checkpoints[1].id}`)).body;
  expect(one).toEqual(checkpoints[1]);
  expect(Object.keys(one).toSorted()).toEqual([
    "bytes",
    "created_at",
    "files",
    "id",
    "is_best",
    "run_id",
    "step",
    "train_loss",
    "val_loss",
  ]);
});

test("a checkpoint is deleted with its folder", async () => {
  const [newest] = await list();
  const folder = fixture.reverie.checkpoints.folder(fixture.reverie.checkpoints.get(newest.id));
  expect(existsSync(folder)).toBe(true);
  expect((await call(fixture, "DELETE", `/api/checkpoints/${newest.id}`)).status).toBe(204);
  expect((await call(fixture, "GET", `/api/checkpoints/${newest.id}`)).status).toBe(404);
  expect(existsSync(folder)).toBe(false);
});

describe("a file", () => {
  let path: string;
  beforeEach(async () => {
    path = `/api/checkpoints/${(await list())[0].id}/files/model.safetensors`;
  });
  const get = (headers: Record<string, string> = {}, method = "GET") => call(fixture, method, path, undefined, headers);

  test("comes whole", async () => {
    const { status, text, headers } = await get();
    expect([status, text]).toEqual([200, CONTENT]);
    expect(headers.get("content-length")).toBe(String(CONTENT.length));
    expect(headers.get("accept-ranges")).toBe("bytes");
  });

  test("says the same to HEAD, without the body", async () => {
    const { status, text, headers } = await get({}, "HEAD");
    expect([status, text]).toEqual([200, ""]);
    expect(headers.get("content-length")).toBe(String(CONTENT.length));
  });

  test.each([
    ["bytes=0-6", 206, "weights", "bytes 0-6/18"],
    ["bytes=8-", 206, "of step 20", "bytes 8-17/18"],
    ["bytes=-2", 206, "20", "bytes 16-17/18"],
    ["bytes=16-99", 206, "20", "bytes 16-17/18"],
    ["BYTES=0-6", 206, "weights", "bytes 0-6/18"],
    ["bytes=5-2", 200, CONTENT, null],
    ["bytes=0-1,3-4", 200, CONTENT, null],
    ["lines=1-2", 200, CONTENT, null],
  ])("in the range %s", async (range, status, text, contentRange) => {
    const answer = await get({ range });
    expect([answer.status, answer.text, answer.headers.get("content-range")]).toEqual([status, text, contentRange]);
  });

  test.each(["bytes=18-", "bytes=-0"])("has nothing in the range %s, which is a problem", async (range) => {
    const { status, headers, body } = await get({ range });
    expect([status, headers.get("content-range")]).toEqual([416, "bytes */18"]);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toMatchObject({ status: 416, request_id: headers.get("x-request-id")! });
  });

  test("has an ETag that conditions understand", async () => {
    const etag = (await get()).headers.get("etag")!;
    expect((await get({ "if-none-match": `"x", ${etag}` })).status).toBe(304);
    expect((await get({ "if-none-match": '"x"' })).status).toBe(200);
    expect((await get({ range: "bytes=0-0", "if-range": etag })).status).toBe(206);
    expect((await get({ range: "bytes=0-0", "if-range": '"x"' })).status).toBe(200);
  });

  test("that was taken away behind our back is not there", async () => {
    const [checkpoint] = fixture.reverie.checkpoints.ofRun(runId);
    rmSync(join(fixture.reverie.checkpoints.folder(checkpoint), "model.safetensors"));
    expect((await get()).status).toBe(404);
  });

  test.each(["nope.bin", "..%2F..%2Fsecret.key", "%2e%2e", ".."])("named %s is not there", async (name) => {
    const answer = await call(fixture, "GET", path.replace("model.safetensors", name));
    expect(answer.status).toBe(404);
  });
});

test("a checkpoint of an older version offers what newer ones write, made of what is known of it", async () => {
  const { run_id } = fixture.trainer.start;
  const sha256 = createHash("sha256").update("{}").digest("hex");
  const files = [{ name: "tokenizer.json", bytes: 2, sha256 }];
  const checkpointed = { type: "checkpointed", run_id, directory: "old", train_loss: null, val_loss: null } as const;
  fixture.trainer.report({ ...checkpointed, step: 30, files, resume_only: false, elapsed_ms: 1 });
  const [old] = await list();
  expect(old.files.map(({ name }) => name)).toEqual(["tokenizer.json", "tokenizer_config.json"]);
  const path = `/api/checkpoints/${old.id}/files/tokenizer_config.json`;
  const whole = await call(fixture, "GET", path);
  expect(whole.body).toMatchObject({ tokenizer_class: "PreTrainedTokenizerFast", model_max_length: 64 });
  expect(whole.headers.get("content-length")).toBe(String(old.files[1].bytes));
  expect(createHash("sha256").update(whole.text).digest("hex")).toBe(old.files[1].sha256);
  expect(old.bytes).toBe(2 + old.files[1].bytes);
  const part = await call(fixture, "GET", path, undefined, { range: "bytes=2-5" });
  expect([part.status, part.text]).toEqual([206, whole.text.slice(2, 6)]);
  // What is on disk, and so what a resumed run holds against its hashes, stays what it was.
  expect(fixture.reverie.checkpoints.get(old.id).files).toEqual(files);
});

test("ranges of an empty file cannot be satisfied", () => {
  expect(parseRange("bytes=0-", 0)).toBe("unsatisfiable");
  expect(parseRange("bytes=-1", 0)).toBe("unsatisfiable");
});
