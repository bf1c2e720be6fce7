import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EVENT_TYPES } from "#src/db/schema.ts";
import { denoPath, ROOT } from "../support/deno.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Client, type Run, SMALL_RUN } from "./client.ts";

/** An EventSource comes back by itself, and only an answer can tell it to stop. */

const TIMEOUT_MS = 180_000;
const TINY_RUN = { ...SMALL_RUN, max_steps: 10 };

interface Heard {
  heard: string;
  id?: number;
  run_id?: string;
  isClosed?: boolean;
}

/** A process with an EventSource. */
class Listener implements Disposable {
  readonly lines: Heard[] = [];
  hasEnded = false;
  readonly #child: ChildProcess;

  constructor(url: string) {
    const script = `${ROOT}tests/support/event_source.ts`;
    const child = spawn(denoPath(), ["run", "--no-prompt", "--allow-net=127.0.0.1", script, url, ...EVENT_TYPES], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let rest = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.lines.push(JSON.parse(line));
    });
    child.on("close", () => this.hasEnded = true);
    this.#child = child;
  }

  /** The ids of the messages since the n-th time that it connected, from 1. */
  idsOf(connection: number): number[] {
    const begins = this.lines.flatMap(({ heard }, at) => heard === "open" ? [at] : []);
    const lines = this.lines.slice(begins[connection - 1], begins[connection]);
    return lines.flatMap(({ id }) => id ?? []);
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

let server: RunningServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "reverie-restored-"));
  server = await startServer({ dataFolder: join(folder, "data") });
}, TIMEOUT_MS);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function finishedRun(): Promise<string> {
  const client = new Client(server.url);
  const { id } = await client.post<Run>("/api/runs", TINY_RUN);
  await client.reached(id, "succeeded");
  return id;
}

test("of a finished run, an EventSource hears everything once and comes back once", async () => {
  const id = await finishedRun();
  const ids = (await new Client(server.url).events(id)).map(({ sequence }) => sequence);
  using listener = new Listener(`${server.url}/api/runs/${id}/events`);
  await waitFor("the EventSource's end", () => listener.hasEnded, { timeoutMs: 60_000 });
  expect(listener.lines.flatMap(({ id }) => id ?? [])).toEqual(ids);
  expect(listener.lines.filter(({ id }) => id === undefined)).toEqual([
    { heard: "open" },
    { heard: "error", isClosed: false },
    { heard: "error", isClosed: true },
  ]);
}, TIMEOUT_MS);

test("of a database restored from a backup, an EventSource hears all there is and what comes", async () => {
  const { port } = new URL(server.url);
  const events = () => new Client(server.url).get<{ data: { sequence: number }[] }>("/api/events?limit=100");
  const restart = async () => server = await startServer({ dataFolder: join(folder, "data"), env: { PORT: port } });
  await finishedRun();
  await server.stop();
  cpSync(join(folder, "data"), join(folder, "backup"), { recursive: true });
  await restart();
  await finishedRun();
  const before = (await events()).data.map(({ sequence }) => sequence);
  using listener = new Listener(`${server.url}/api/events`);
  await waitFor("all events", () => listener.idsOf(1).length === before.length);

  await server.stop();
  rmSync(join(folder, "data"), { recursive: true });
  cpSync(join(folder, "backup"), join(folder, "data"), { recursive: true });
  await restart();
  const restored = (await events()).data.map(({ sequence }) => sequence);
  expect(restored.length).toBeLessThan(before.length);
  await waitFor("the restored events", () => listener.idsOf(2).length === restored.length, { timeoutMs: 60_000 });
  const id = await finishedRun();
  await waitFor(
    "the new run's end",
    () => listener.lines.some(({ heard, run_id }) => heard === "run.succeeded" && run_id === id),
  );
  expect(listener.idsOf(2)).toEqual((await events()).data.map(({ sequence }) => sequence));
}, TIMEOUT_MS);
