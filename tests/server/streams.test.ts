import { afterAll, beforeAll, expect, test } from "bun:test";
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
function follow(runId: string, lastEventId: number | null): Socket {
  const { hostname, port, host } = new URL(server.url);
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
      if (!head.toString("latin1").startsWith("HTTP/1.1 200")) reject(new Error(head.toString("latin1")));
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

test("clients that stop reading hold up nobody, and lose nothing", async () => {
  // Texts of some size at every step: more than a socket holds, for each who does not read.
  const texts = { every: 1, prompt: "a".repeat(9000), max_tokens: 2 };
  const { id } = await client.post<Run>("/api/runs", { ...SMALL_RUN, max_steps: 250, sample: texts });
  const stopped = Array.from({ length: 20 }, () => follow(id, null).pause());
  const reading = await read(follow(id, null), TIMEOUT_MS);
  expect(reading.hasEnded).toBe(true);
  const listed = await client.events(id);
  expect(reading.stream.ids).toEqual(listed.map(({ sequence }) => sequence));
  const size = reading.stream.events.reduce((sum, event) => sum + JSON.stringify(event).length, 0);
  expect(size).toBeGreaterThan(2e6);
  for (const { stream, hasEnded } of await Promise.all(stopped.map((socket) => read(socket.resume(), TIMEOUT_MS)))) {
    expect(hasEnded).toBe(true);
    expect(stream.ids).toEqual(reading.stream.ids);
  }
}, TIMEOUT_MS);
