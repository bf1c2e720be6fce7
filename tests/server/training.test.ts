import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { type RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Client, type Run, SMALL_RUN } from "./client.ts";

const TIMEOUT_MS = 120_000;

let server: RunningServer;
let client: Client;
beforeAll(async () => {
  server = await startServer();
  client = new Client(server.url);
}, TIMEOUT_MS);
afterAll(() => server[Symbol.asyncDispose]());

test("the start-up line and the API name the device", async () => {
  const device = await client.get<{ name: string; software: boolean; measured: { gflops: number } }>("/api/device");
  expect(server.stdout).toContain(`${device.name} (${device.software ? "software" : "hardware"}`);
  expect(device.measured.gflops).toBeGreaterThan(0);
  expect((await client.fetch("/readyz")).status).toBe(200);
});

describe("from a text to a model", () => {
  let run: Run;
  beforeAll(async () => {
    await client.upload("counting", Array.from({ length: 2000 }, (_, i) => `${i} and ${i + 1}\n`).join(""));
    run = await client.post<Run>("/api/runs", { ...SMALL_RUN, dataset: "counting" });
    expect(run.status).toBe("queued");
    run = await client.reached(run.id, "succeeded");
  }, TIMEOUT_MS);

  test("each step has one loss, and it falls", async () => {
    const { steps, values } = await client.losses(run.id);
    expect(steps).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(values[199]).toBeLessThan(values[0] - 0.5);
  });

  test("a stream cut again and again gives every event once and in order", async () => {
    const listed = await client.events(run.id);
    expect(listed[0].type).toBe("run.queued");
    expect(listed.at(-1)!.type).toBe("run.succeeded");
    const streamed = [];
    for (let last: number | null = null, size = 1;; size++) {
      const events = await client.stream(`/api/runs/${run.id}/events`, last, size);
      streamed.push(...events);
      if (events.length < size) break;
      last = events[events.length - 1].sequence;
    }
    expect(streamed).toEqual(listed);
  });

  test("the checkpoints are the newest two and the best, their files whole", async () => {
    const checkpoints = await client.checkpoints(run.id);
    expect(checkpoints.map(({ step }) => step).slice(0, 2)).toEqual([200, 150]);
    expect(checkpoints.filter(({ is_best }) => is_best)).toHaveLength(1);
    const [newest] = checkpoints;
    for (const name of ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]) {
      const response = await client.fetch(`/api/checkpoints/${newest.id}/files/${name}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      const listed = newest.files.find((file) => file.name === name)!;
      expect(bytes.length).toBe(listed.bytes);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(listed.sha256);
    }
    const range = { range: "bytes=0-7" };
    const response = await client.fetch(`/api/checkpoints/${newest.id}/files/model.safetensors`, { headers: range });
    expect(response.status).toBe(206);
    expect((await response.arrayBuffer()).byteLength).toBe(8);
  });
});

test("a stream that is open while it trains brings the run to its end", async () => {
  const { id } = await client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 60 });
  const streamed = await client.stream(`/api/runs/${id}/events`, null);
  expect(streamed).toEqual(await client.events(id));
  expect(streamed.at(-1)!.type).toBe("run.succeeded");
}, TIMEOUT_MS);

test("pause, resume, a checkpoint on demand, cancel", async () => {
  const { id } = await client.post<Run>("/api/runs", {
    ...SMALL_RUN,
    max_steps: 100_000,
    checkpoint: { every: 100_000 },
  });
  await client.stepped(id, 1);
  await client.post(`/api/runs/${id}/pause`);
  const paused = await client.reached(id, "paused");
  await client.post(`/api/runs/${id}/resume`);
  await client.stepped(id, paused.step + 1);
  await client.post(`/api/runs/${id}/checkpoints`);
  const asked = await client.stream(`/api/runs/${id}/events?type=run.checkpointed`, null, 3);
  expect(asked.map(({ data }) => data.step)).toEqual([0, paused.step, expect.any(Number)]);
  await client.post(`/api/runs/${id}/cancel`);
  const { step } = await client.reached(id, "cancelled");
  expect((await client.losses(id)).steps).toEqual(Array.from({ length: step }, (_, i) => i + 1));
}, TIMEOUT_MS);

test("a signed webhook starts one run, however often it is delivered", async () => {
  type Hook = { url: string; secret: string };
  const hook = await client.post<Hook>("/api/hooks", {
    name: "on-push",
    run: { ...SMALL_RUN, max_steps: 20, name: "from a hook" },
    map: { seed: "$.seed" },
  });
  const body = '{"seed":7}';
  const at = new Date();
  const deliver = async () => {
    const response = await client.fetch(hook.url, {
      method: "POST",
      body,
      headers: {
        "webhook-id": "delivery-1",
        "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
        "webhook-signature": new Webhook(hook.secret).sign("delivery-1", at, body),
      },
    });
    return { status: response.status, body: await response.text() };
  };
  const [first, second] = await Promise.all([deliver(), deliver()]);
  expect(first.status).toBe(202);
  expect(second).toEqual(first);
  await client.reached(JSON.parse(first.body).run_id, "succeeded");
}, TIMEOUT_MS);

test("bad input gets its answer over a socket too, and leaves nothing behind", async () => {
  const upload = (body: BodyInit, type = "text/plain") =>
    client.fetch("/api/datasets?name=bad", { method: "POST", body, headers: { "content-type": type } });
  const before = await client.get("/api/datasets");
  expect((await upload(new Uint8Array([97, 0xc3, 0x28]))).status).toBe(400);
  expect((await upload("")).status).toBe(422);
  expect((await upload("{}", "application/json")).status).toBe(415);
  const tooWide = await client.fetch("/api/runs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...SMALL_RUN, model: { n_layer: 96, n_head: 96, n_embd: 12_288 } }),
  });
  expect(tooWide.status).toBe(422);
  const problem = await tooWide.json() as { bytes_needed: number; bytes_available: number };
  expect(problem.bytes_needed).toBeGreaterThan(problem.bytes_available);
  expect(await client.get("/api/datasets")).toEqual(before as object);
});

test("an upload that breaks off leaves nothing behind", async () => {
  const before = await client.get<object>("/api/datasets");
  const temporary = () => readdirSync(join(server.dataFolder, "datasets")).some((name) => name.endsWith(".tmp"));
  const gone = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("half of a text"));
    },
  });
  const broken = client.fetch("/api/datasets?name=half", {
    method: "POST",
    body,
    headers: { "content-type": "text/plain" },
    signal: gone.signal,
  });
  const outcome = broken.then(() => "answered", () => "broken");
  await waitFor("the upload's beginning", temporary);
  gone.abort();
  expect(await outcome).toBe("broken");
  await waitFor("the upload's end", () => !temporary());
  expect(await client.get<object>("/api/datasets")).toEqual(before);
});
