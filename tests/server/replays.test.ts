import { expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import process from "node:process";
import { longestGap } from "../support/gaps.ts";
import { startServer } from "../support/server.ts";
import { Client, type Run, SMALL_RUN } from "./client.ts";

const TIMEOUT_MS = 180_000;
const HISTORY_EVENTS = 500_000;
const READERS = 2;

/** Reads a stream to its end as fast as it can, and writes how many messages there were. */
const READER = `
let count = 0;
let rest = 0;
for await (const chunk of (await fetch(process.argv[1])).body) {
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
    if (at === 0 ? rest === 10 : chunk[at - 1] === 10) count++;
  }
  rest = chunk.at(-1);
}
console.log(count);
`;

test("replays of 500,000 events to fast readers keep no other request waiting", async () => {
  await using first = await startServer();
  const client = new Client(first.url);
  const { id } = await client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 10 });
  await client.reached(id, "succeeded");
  const own = (await client.events(id)).length;
  await first.stop();
  writeHistory(`${first.dataFolder}/reverie.db`, id);
  await using server = await startServer({ dataFolder: first.dataFolder });
  const read = async () => {
    const url = `${server.url}/api/runs/${id}/events`;
    const reader = Bun.spawn([process.execPath, "-e", READER, url], { stderr: "inherit" });
    return Number(await new Response(reader.stdout).text());
  };
  await read(); // a server that has just started compiles its own code, and kernels
  const reading = Array.from({ length: READERS }, read);
  const gap = await longestGap(server, Promise.all(reading));
  expect(await Promise.all(reading)).toEqual(Array.from({ length: READERS }, () => HISTORY_EVENTS + own));
  expect(gap.workMs).toBeLessThan(100);
}, TIMEOUT_MS);

function writeHistory(path: string, runId: string): void {
  const db = new Database(path);
  const insert = db.prepare("insert into events (run_id, type, timestamp, data) values (?, 'run.progress', ?, ?)");
  const timestamp = new Date().toISOString();
  db.transaction(() => {
    for (let step = 1; step <= HISTORY_EVENTS; step++) {
      const points = [{ step, loss: 1.5, lr: 1e-3, grad_norm: 0.5 }];
      insert.run(runId, timestamp, JSON.stringify({ step, max_steps: HISTORY_EVENTS, points }));
    }
  })();
  db.close();
}
