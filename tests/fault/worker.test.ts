import { beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Client, Run } from "../server/client.ts";
import { type Fault, type FaultKind, FaultPlan, FIFO } from "./faults.ts";
import { Lives } from "./lives.ts";
import { BODY, expectSame, type Outcome, outcomeOf, undisturbed } from "./outcome.ts";
import { checkRemains } from "./remains.ts";
import { randomOf, shuffle } from "./seed.ts";

const TIMEOUT_MS = 120_000;
/** Outlasts a fault of each kind. */
const SHORT = { ...BODY, max_steps: 700 };
/** Several times what the longest silence of a trainer takes here: the compilation of its first step. */
const HANG_SECONDS = 3;

/** What the event says of each. */
const CAUSES: Record<FaultKind, string> = {
  "hang": "hung",
  "hang in a call": "hung",
  "device lost": "GPU lost",
  "out of memory": "out of GPU memory",
  "out of memory late": "Not enough memory left",
  "throw": "thrown where nobody catches",
  "close": "hung",
};
const KINDS = Object.keys(CAUSES) as FaultKind[];

let reference: Outcome;
beforeAll(async () => {
  reference = await undisturbed(SHORT);
}, TIMEOUT_MS);

/** A server with a faulty trainer. */
async function faultyServer(faults: Fault[]): Promise<{ lives: Lives; client: Client; plan: FaultPlan }> {
  const env = { REVERIE_HANG_SECONDS: String(HANG_SECONDS) };
  const lives = new Lives({ entry: "tests/fault/faulty_server.ts", env });
  execFileSync("mkfifo", [join(lives.dataFolder, FIFO)]);
  const plan = new FaultPlan(lives.dataFolder);
  plan.left = faults;
  return { lives, client: await lives.begin(), plan };
}

async function causesOf(client: Client, id: string): Promise<string[]> {
  const events = await client.events(id);
  return events.filter(({ type }) => type === "run.interrupted").map(({ data }) => String(data.cause));
}

test("a trainer that dies, hangs or loses its GPU is replaced, and its run goes on from its checkpoint", async () => {
  const random = randomOf(6);
  // Each trainer takes a checkpoint before its end, and not many.
  const faults = shuffle(KINDS, random).map((kind) => ({ kind, checkpoints: 1, submit: 1 + random.below(8) }));
  console.log(faults.map(({ kind, submit }) => `${kind} at ${submit}`).join(", "));
  const { lives, client, plan } = await faultyServer(faults);
  await using _ = lives;
  const { id } = await client.post<Run>("/api/runs", SHORT);
  const run = await client.reached(id, "succeeded");
  expect(plan.left).toEqual([]);
  const causes = await causesOf(client, id);
  causes.forEach((cause, i) => expect(cause).toContain(CAUSES[faults[i].kind]));
  expect(run.attempts).toBe(faults.length);
  expectSame(await outcomeOf(client, id), reference);
  await lives.stop();
  checkRemains(lives.dataFolder);
}, TIMEOUT_MS);

test("a run that finds no memory at each of five attempts fails with that cause, and the next one trains", async () => {
  const kind = "out of memory";
  const { lives, client, plan } = await faultyServer(
    Array.from({ length: 5 }, () => ({ kind, checkpoints: 0, submit: 1 })),
  );
  await using _ = lives;
  const { id } = await client.post<Run>("/api/runs", SHORT);
  const next = await client.post<Run>("/api/runs", { ...SHORT, max_steps: 50 });
  const { error, attempts } = await client.reached(id, "failed");
  expect(error).toContain("5 attempts without progress");
  expect(error).toContain(CAUSES[kind]);
  expect(attempts).toBe(5);
  expect(plan.left).toEqual([]);
  expect(await causesOf(client, id)).toHaveLength(4);
  await client.reached(next.id, "succeeded");
  await lives.stop();
  checkRemains(lives.dataFolder);
}, TIMEOUT_MS);
