import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Client, type Run, SMALL_RUN } from "./client.ts";

const TIMEOUT_MS = 180_000;
/** Milestones that no call's limits coincide with. */
const BODY = { ...SMALL_RUN, max_steps: 60, eval: { every: 25, batches: 2 }, sample: { every: 30, max_tokens: 8 } };

interface StepsTaken {
  from_step: number;
  to_step: number;
  status: string;
  metrics: Record<string, number>;
}

async function outcomeOf(client: Client, id: string) {
  const [final] = await client.checkpoints(id);
  const events = await client.events(id);
  const of = (type: string) => events.filter((event) => event.type === type).map(({ data }) => data);
  return {
    step: final.step,
    files: final.files.filter(({ name }) => name.endsWith(".safetensors")),
    losses: await client.losses(id),
    evaluations: of("run.evaluated"),
    samples: of("run.sampled"),
  };
}

test("a run driven by calls, each answered by a fresh process, is the run that trains by itself", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "reverie-data-"));
  try {
    let id = "";
    let by_itself = "";
    {
      await using server = await startServer({ dataFolder });
      const client = new Client(server.url);
      by_itself = (await client.post<Run>("/api/runs", BODY)).id;
      await client.reached(by_itself, "succeeded");
      id = (await client.post<Run>("/api/runs", { ...BODY, drive: "invoke" })).id;
    }
    for (let from = 0, status = "queued"; status !== "succeeded";) {
      await using server = await startServer({ dataFolder });
      const client = new Client(server.url);
      expect((await client.run(id)).status).toBe("queued");
      const taken = await client.post<StepsTaken>(`/api/runs/${id}/steps`, { max_steps: 17, max_ms: 60_000 });
      const to = Math.min(from + 17, BODY.max_steps);
      expect(taken).toMatchObject({ from_step: from, to_step: to, status: to === 60 ? "succeeded" : "queued" });
      expect(taken.metrics["train/loss"]).toBeGreaterThan(0);
      await server.stop("SIGKILL"); // what is answered is durable
      [from, status] = [to, taken.status];
    }
    await using server = await startServer({ dataFolder });
    const client = new Client(server.url);
    expect(await outcomeOf(client, id)).toEqual(await outcomeOf(client, by_itself));
    expect((await client.run(id)).attempts).toBe(0);
  } finally {
    rmSync(dataFolder, { recursive: true, force: true });
  }
}, TIMEOUT_MS);

test("a call is bounded in time, streams if asked, and one at a time drives a run", async () => {
  await using server = await startServer();
  const client = new Client(server.url);
  const { id } = await client.post<Run>("/api/runs", { ...BODY, max_steps: 100_000, drive: "invoke" });
  const call = (body: object, accept = "application/json") =>
    client.fetch(`/api/runs/${id}/steps`, {
      method: "POST",
      headers: { "content-type": "application/json", accept },
      body: JSON.stringify(body),
    });
  const began = performance.now();
  const streaming = await call({ max_steps: 100_000, max_ms: 3000 }, "text/event-stream");
  expect(streaming.headers.get("content-type")).toBe("text/event-stream");
  await waitFor("the run under way", async () => (await client.run(id)).status === "running");
  expect((await call({ max_steps: 1 })).status).toBe(409);
  const text = await streaming.text();
  expect(performance.now() - began).toBeLessThan(10_000); // the machine may be busy; unbounded it would take minutes
  const blocks = text.trim().split("\n\n").filter((block) => block.startsWith("id:") || block.startsWith("event:"));
  expect(blocks[0]).toContain("event: run.started");
  const [event, data] = blocks.at(-1)!.split("\n");
  expect(event).toBe("event: steps");
  const taken = JSON.parse(data.slice("data: ".length)) as StepsTaken;
  expect(taken.from_step).toBe(0);
  expect(taken.to_step).toBeGreaterThan(0);
  expect(taken.status).toBe("queued");
  expect((await client.checkpoints(id))[0].step).toBe(taken.to_step);

  // Without a body the defaults hold.
  const plain = await client.fetch(`/api/runs/${id}/steps`, { method: "POST" });
  expect(await plain.json()).toMatchObject({ from_step: taken.to_step, to_step: taken.to_step + 50 });
}, TIMEOUT_MS);

test("the GPU is given back after a while without a run, and taken again for the next", async () => {
  await using server = await startServer({ env: { REVERIE_IDLE_SECONDS: "0.5" } });
  const client = new Client(server.url);
  const workers = () => server.stderr.split("\n").filter((line) => line.includes("the GPU was given back")).length;
  const { id } = await client.post<Run>("/api/runs", { ...BODY, drive: "invoke" });
  for (let call = 1; call <= 2; call++) {
    await waitFor("the GPU to be given back", () => workers() === call);
    await client.post(`/api/runs/${id}/steps`, { max_steps: 5 });
  }
  expect((await client.run(id)).step).toBe(10);
  expect((await client.fetch("/readyz")).status).toBe(200);
  expect((await server.stop("SIGTERM")).code).toBe(0);
}, TIMEOUT_MS);
