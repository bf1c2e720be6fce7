import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Lives } from "../fault/lives.ts";
import { RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { type Checkpoint, Client, type Event, type Run } from "./client.ts";

/**
 * A milestone is one thing: whatever stops a run between its evaluation, its sample and its checkpoint, its checkpoints
 * are those of a run that nobody stopped.
 */

const TIMEOUT_MS = 240_000;
/** The tail is held out, and what the run learns is wrong there: the best model is an early one. */
const TEXT = "abcdefgh ".repeat(40) + "hgfedcba ".repeat(5);
/** Evaluations, samples and checkpoints at steps of their own. A sample takes seconds, so that a stop falls into it. */
const BODY = {
  dataset: "alphabet",
  model: { n_layer: 1, n_head: 2, n_embd: 32 },
  context_length: 16,
  batch_size: 4,
  max_steps: 9,
  optimizer: { learning_rate: 0.01, warmup_steps: 0 },
  eval: { every: 2, batches: null },
  sample: { every: 4, max_tokens: 1500, prompt: "a" },
  checkpoint: { every: 3, keep: 1 },
  seed: 1,
};
/** Its sample follows. */
const STOPPED_AT = 4;

type Listed = Checkpoint & { val_loss: number | null };
interface Milestones {
  checkpoints: { step: number; val_loss: number | null; is_best: boolean }[];
  best_val_loss: number;
}

async function milestonesOf(client: Client, id: string): Promise<Milestones> {
  const run = await client.reached(id, "succeeded") as Run & { best_val_loss: number };
  const listed = await client.checkpoints(id) as Listed[];
  const events = await client.events(id);
  for (const { data } of events.filter(({ type }) => type === "run.checkpointed")) {
    const same = listed.find(({ step }) => step === data.step);
    if (same) expect(data.checkpoint_id).toBe(same.id);
  }
  // The best model is there, and it is the one that best_val_loss names.
  expect(listed.find(({ is_best }) => is_best)!.val_loss).toBe(run.best_val_loss);
  return {
    checkpoints: listed.map(({ step, val_loss, is_best }) => ({ step, val_loss, is_best })),
    best_val_loss: run.best_val_loss,
  };
}

/** Waits until the run was evaluated at that step. */
async function evaluated(client: Client, id: string): Promise<void> {
  const isEvaluation = ({ type, data }: Event) => type === "run.evaluated" && data.step === STOPPED_AT;
  await waitFor(`${id} evaluated`, async () => (await client.events(id)).some(isEvaluation), { everyMs: 20 });
}

/** The stop fell between the evaluation and the sample: that is what is tested. */
async function expectWithin(client: Client, id: string, stop: string): Promise<void> {
  const events = await client.events(id);
  const told = events.findIndex(({ type }) => type === stop);
  const before = events.slice(0, told).filter(({ type, data }) => data.step === STOPPED_AT && type === "run.sampled");
  expect([told >= 0, before]).toEqual([true, []]);
}

let server: RunningServer;
let client: Client;
const reference = {} as Record<"keep1" | "keep9", Milestones>;

const bodyOf = (keep: number, more: object = {}) => ({ ...BODY, checkpoint: { ...BODY.checkpoint, keep }, ...more });
const start = async (on: Client, body: object) => (await on.post<Run>("/api/runs", body)).id;

beforeAll(async () => {
  server = await startServer();
  client = new Client(server.url);
  await client.upload("alphabet", TEXT);
  reference.keep1 = await milestonesOf(client, await start(client, bodyOf(1)));
  reference.keep9 = await milestonesOf(client, await start(client, bodyOf(9)));
}, TIMEOUT_MS);
afterAll(() => server[Symbol.asyncDispose]());

test("the best is an early one, and stays with keep: 1 beside the newest", () => {
  const { checkpoints, best_val_loss } = reference.keep1;
  expect(checkpoints.map(({ step, is_best }) => [step, is_best])).toEqual([[9, false], [expect.any(Number), true]]);
  expect(checkpoints[1].step).toBeLessThan(8);
  expect(checkpoints[1].val_loss).toBe(best_val_loss);
  expect(reference.keep9.checkpoints.map(({ step }) => step)).toEqual(expect.arrayContaining([9, 6, 3, 0]));
});

test("paused", async () => {
  for (const keep of [1, 9] as const) {
    const id = await start(client, bodyOf(keep));
    await evaluated(client, id);
    await client.post(`/api/runs/${id}/pause`);
    await client.reached(id, "paused");
    await expectWithin(client, id, "run.paused");
    await client.post(`/api/runs/${id}/resume`);
    expect(await milestonesOf(client, id)).toEqual(reference[`keep${keep}`]);
  }
}, TIMEOUT_MS);

test("driven by calls whose time ends anywhere", async () => {
  for (const keep of [1, 9] as const) {
    const id = await start(client, bodyOf(keep, { drive: "invoke" }));
    for (let call = 0, status = "queued"; status !== "succeeded"; call++) {
      expect(call).toBeLessThan(60);
      status = (await client.post<{ status: string }>(`/api/runs/${id}/steps`, { max_steps: 100, max_ms: 400 })).status;
    }
    expect((await client.events(id)).filter(({ type }) => type === "run.started").length).toBeGreaterThan(2);
    expect(await milestonesOf(client, id)).toEqual(reference[`keep${keep}`]);
  }
}, TIMEOUT_MS);

test("while nothing can be written", async () => {
  const id = await start(client, bodyOf(1));
  await evaluated(client, id);
  using db = new Database(join(server.dataFolder, "reverie.db"));
  db.run("begin immediate");
  await waitFor("the run paused", async () => (await client.run(id)).status === "paused", { timeoutMs: 60_000 });
  db.run("rollback");
  expect(await milestonesOf(client, id)).toEqual(reference.keep1);
  expect((await client.events(id)).map(({ type }) => type)).toContain("run.paused");
}, TIMEOUT_MS);

test.each(["SIGTERM", "SIGKILL"] as const)("in a server that gets %s", async (signal) => {
  await using lives = new Lives();
  let client = await lives.begin();
  await client.upload("alphabet", TEXT);
  const id = await start(client, bodyOf(1));
  await evaluated(client, id);
  await (signal === "SIGTERM" ? lives.stop() : lives.kill());
  client = await lives.begin();
  expect(await milestonesOf(client, id)).toEqual(reference.keep1);
  await expectWithin(client, id, "run.interrupted");
}, TIMEOUT_MS);
