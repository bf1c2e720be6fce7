import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { connect, type Socket } from "node:net";
import { EventStream } from "../support/event_stream.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { Client, type Event, type Run, SMALL_RUN } from "./client.ts";

const TIMEOUT_MS = 120_000;
const CLIENTS = 200;

let server: RunningServer;
let client: Client;
beforeAll(async () => {
  server = await startServer();
  client = new Client(server.url);
}, TIMEOUT_MS);
afterAll(() => server[Symbol.asyncDispose]());

/** A connection of its own; HTTP/1.0 has no chunks, so that what follows the head is the stream. */
function follow(runId: string, lastEventId: number | null, url = server.url): Socket {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const id = lastEventId === null ? "" : `Last-Event-ID: ${lastEventId}\r\n`;
  socket.write(`GET /api/runs/${runId}/events HTTP/1.0\r\nHost: ${host}\r\n${id}\r\n`);
  return socket;
}

/** Reads until the stream ends, or breaks off somewhere on the way: within a message as well as between two. */
function read(socket: Socket, breakOffMs: number): Promise<{ stream: EventStream<Event>; hasEnded: boolean }> {
  const stream = new EventStream<Event>();
  let head = Buffer.alloc(0);
  let isBody = false;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ stream, hasEnded: false });
    }, breakOffMs);
    socket.on("error", reject);
    socket.on("data", (bytes: Buffer) => {
      if (isBody) return stream.push(bytes);
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      // 204: the run is over, and the connection before broke off after its last event.
      if (!/^HTTP\/1\.1 20[04]/.test(head.toString("latin1"))) reject(new Error(head.toString("latin1")));
      isBody = true;
      stream.push(head.subarray(end + 4));
    });
    socket.on("end", () => {
      clearTimeout(timer);
      resolve({ stream, hasEnded: true });
    });
  });
}

test(`${CLIENTS} clients that break off at random and come back get each event once and in order`, async () => {
  const { id } = await client.post<Run>("/api/runs", {
    ...SMALL_RUN,
    max_steps: 1500,
    eval: { every: 20, batches: 1 },
  });
  let reconnects = 0;
  const clients = Array.from({ length: CLIENTS }, async () => {
    const got: Event[] = [];
    while (true) {
      const last = got.at(-1)?.sequence ?? null;
      const { stream, hasEnded } = await read(follow(id, last), 50 + 1500 * Math.random());
      got.push(...stream.events);
      expect(stream.events.map(({ sequence }) => sequence)).toEqual(stream.ids);
      if (hasEnded) return got;
      reconnects++;
    }
  });
  const all = await Promise.all(clients);
  const listed = await client.events(id);
  expect(listed.length).toBeGreaterThan(50);
  expect(listed.at(-1)!.type).toBe("run.succeeded");
  const expected = listed.map(({ sequence }) => sequence);
  for (const got of all) expect(got.map(({ sequence }) => sequence)).toEqual(expected);
  expect(all[0]).toEqual(listed);
  expect(reconnects).toBeGreaterThan(CLIENTS);
}, TIMEOUT_MS);

test("clients that stop reading hold up nobody, cost no memory and lose nothing", async () => {
  const { id } = await client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 20 });
  await client.reached(id, "succeeded");
  await server.stop();
  writeHistory(`${server.dataFolder}/reverie.db`, id);
  await using restarted = await startServer({ dataFolder: server.dataFolder });
  const before = restarted.residentMib;
  const stopped = Array.from({ length: 25 }, () => follow(id, null, restarted.url).pause());
  const reading = await read(follow(id, null, restarted.url), TIMEOUT_MS);
  expect(reading.hasEnded).toBe(true);
  expect(reading.stream.ids.length).toBeGreaterThan(HISTORY_EVENTS);
  // 1,000 MB are due to them; what 40 MB leave behind that were read and written once is 150.
  expect(restarted.residentMib - before).toBeLessThan(400);
  for (const socket of stopped.splice(4)) socket.destroy();
  for (const { stream, hasEnded } of await Promise.all(stopped.map((socket) => read(socket.resume(), TIMEOUT_MS)))) {
    expect(hasEnded).toBe(true);
    expect(stream.ids).toEqual(reading.stream.ids);
  }
}, TIMEOUT_MS);

/** More than the two ends of a connection hold. */
const HISTORY_EVENTS = 5000;
const EVENT_BYTES = 8000;

function writeHistory(path: string, runId: string): void {
  const db = new Database(path);
  const insert = db.prepare("insert into events (run_id, type, timestamp, data) values (?, 'run.sampled', ?, ?)");
  const data = JSON.stringify({ text: "x".repeat(EVENT_BYTES) });
  db.transaction(() => {
    for (let i = 0; i < HISTORY_EVENTS; i++) insert.run(runId, new Date().toISOString(), data);
  })();
  db.close();
}
