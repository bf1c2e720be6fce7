/**
 * Clients of a stream, in a process of their own. Its argument is JSON: `Clients`. It prints `{"connected": n}` once all
 * have an answer, and when its stdin ends, or sooner where nothing is left to do, what they found.
 */
import { EventStream } from "../tests/support/event_stream.ts";
import { cpuSeconds } from "./processes.ts";

export interface Clients {
  hostname: string;
  port: number;
  path: string;
  clients: number;
  /**
   * `count`: reads and counts bytes, the least a client can do; `stall`: reads only the answer's first bytes;
   * `check`: reads everything up to the sequence `until`, and now and then breaks off and comes back with the id it had.
   */
  mode: "count" | "stall" | "check";
  until?: number;
}

export interface Found {
  bytes: number;
  reads: number;
  reconnects: number;
  /** Clients that a stream left before they did. */
  ended: number;
  /** Of each client that checks: how many events it has, and what is wrong with them. */
  events: number[];
  faults: string[];
  cpuSeconds: number;
}

const { hostname, port, path, clients, mode, until = 0 } = JSON.parse(Deno.args[0]) as Clients;
const found: Found = { bytes: 0, reads: 0, reconnects: 0, ended: 0, events: [], faults: [], cpuSeconds: 0 };
const buffer = new Uint8Array(2 ** 16); // shared: what the clients read is looked at before the next read
const open = new Set<Deno.TcpConn>();

async function connect(lastEventId: number | null): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname, port });
  open.add(connection);
  // HTTP/1.0 asks for an answer without chunks.
  const id = lastEventId === null ? "" : `last-event-id: ${lastEventId}\r\n`;
  await connection.write(new TextEncoder().encode(`GET ${path} HTTP/1.0\r\nhost: ${hostname}:${port}\r\n${id}\r\n`));
  return connection;
}

async function count(connection: Deno.TcpConn): Promise<void> {
  const read = await connection.read(buffer).catch(() => null);
  if (read === null) return void (found.ended += open.has(connection) ? 1 : 0);
  found.bytes += read;
  found.reads++;
  return count(connection);
}

async function check(client: number): Promise<void> {
  const stream = new EventStream();
  const own = new Uint8Array(2 ** 14);
  for (let last: number | null = null; (last ?? 0) < until; last = stream.ids.at(-1) ?? last) {
    const connection = await connect(last);
    const breakOffAt = performance.now() + 500 + 4000 * Math.random();
    if (last !== null) found.reconnects++;
    let isHead = true;
    // What is cut off within a message comes again, whole.
    const part = new EventStream();
    while ((part.ids.at(-1) ?? 0) < until && performance.now() < breakOffAt) {
      const read = await connection.read(own);
      if (read === null) {
        found.ended++;
        break;
      }
      const bytes = own.subarray(0, read);
      const from = isHead ? afterHead(bytes) : 0;
      isHead = false;
      part.push(bytes.subarray(from));
    }
    open.delete(connection);
    connection.close();
    stream.ids.push(...part.ids);
  }
  found.events[client] = stream.ids.length;
  for (const [i, id] of stream.ids.entries()) {
    if (i > 0 && id <= stream.ids[i - 1]) found.faults.push(`client ${client}: ${id} after ${stream.ids[i - 1]}`);
  }
}

/** The head comes in one piece. */
function afterHead(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes);
  if (!/^HTTP\/1\.[01] 200 .*\r\n\r\n/s.test(text)) throw new Error(`not a stream: ${text}`);
  return text.indexOf("\r\n\r\n") + 4;
}

const work: Promise<void>[] = [];
for (let client = 0; client < clients; client++) {
  if (mode === "check") {
    work.push(check(client));
    if (client % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 5));
    continue;
  }
  const connection = await connect(null);
  await connection.read(buffer);
  if (mode === "count") void count(connection);
}
console.log(JSON.stringify({ connected: clients }));

if (mode === "check") await Promise.all(work);
else for await (const _ of Deno.stdin.readable);
for (const connection of open) {
  open.delete(connection);
  connection.close();
}
found.cpuSeconds = cpuSeconds(Deno.pid);
console.log(JSON.stringify(found));
Deno.exit();
