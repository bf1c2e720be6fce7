import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { framed, RawConnection } from "./raw_connection.ts";

/**
 * What becomes of a connection, seen from its other end. `impatient_server.ts` waits for tenths of the seconds for which
 * the real one does.
 */

const TIMEOUT_MS = 60_000;
const TOKEN = "a-token-of-some-length";
const MAX_UPLOAD_BYTES = 100_000;

let server: RunningServer;
beforeAll(async () => {
  const env = { REVERIE_TOKEN: TOKEN, REVERIE_MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES), LOG_LEVEL: "warn" };
  server = await startServer({ entry: "tests/server/impatient_server.ts", env });
}, TIMEOUT_MS);
afterAll(() => server[Symbol.asyncDispose]());

const auth = `Authorization: Bearer ${TOKEN}`;
const head = (line: string, ...headers: string[]) =>
  [`${line} HTTP/1.1`, `Host: ${new URL(server.url).host}`, ...headers, "", ""].join("\r\n");
const NEXT = () => head("GET /healthz");

interface Refusal {
  name: string;
  line: string;
  headers: string[];
  status: number;
  /** Past so many bytes it is a 413. Default: the limit of JSON. */
  maxBytes?: number;
  /** Default: bytes that are no JSON and no UTF-8. */
  body?: (size: number) => Uint8Array;
}

const json = "Content-Type: application/json";
const text = "Content-Type: text/plain";
const ascii = (size: number) => Buffer.alloc(size, "x");

const REFUSALS: Refusal[] = [
  { name: "401", line: "POST /api/runs", headers: [json], status: 401, maxBytes: Infinity },
  { name: "404", line: "POST /api/none", headers: [auth], status: 404 },
  { name: "404 of a hook", line: "POST /hooks/none", headers: [json], status: 404, maxBytes: Infinity },
  { name: "404 of a DELETE", line: "DELETE /api/runs/run_x", headers: [auth], status: 404 },
  { name: "405", line: "PUT /api/runs", headers: [auth], status: 405 },
  { name: "405 of a page", line: "POST /", headers: [], status: 405, maxBytes: Infinity },
  { name: "415 of a type", line: "POST /api/runs", headers: [auth, text], status: 415 },
  {
    name: "415 of an encoding",
    line: "POST /api/runs",
    headers: [auth, json, "Content-Encoding: br"],
    status: 415,
    maxBytes: Infinity,
  },
  {
    name: "400 of a name",
    line: "POST /api/datasets?name=..",
    headers: [auth, text],
    status: 400,
    maxBytes: Infinity,
  },
  { name: "400 of JSON", line: "POST /api/runs", headers: [auth, json], status: 400 },
  { name: "400 of a Host", line: "POST /api/runs", headers: ["Host: xn--a"], status: 400, maxBytes: Infinity },
  { name: "a GET with a body", line: "GET /healthz", headers: [], status: 200, maxBytes: Infinity },
  { name: "a HEAD with a body", line: "HEAD /healthz", headers: [], status: 200, maxBytes: Infinity },
];

/** In one packet, more than a stream buffers, more than is read for nothing. */
const SIZES = [10_000, 300_000, 2_000_000];

/** Past what is read to keep a connection, or of unknown length: the answer ends it, and is not lost. */
async function exchange(refusal: Refusal, size: number, framing: "length" | "chunked"): Promise<void> {
  const { line, headers, status, maxBytes = 2 ** 20, body = ascii } = refusal;
  const { header, bytes } = framed(body(size), framing);
  const connection = new RawConnection(server.url);
  const hasHost = headers.some((line) => line.startsWith("Host:"));
  const first = hasHost
    ? [`${line} HTTP/1.1`, ...headers, header, "", ""].join("\r\n")
    : head(line, ...headers, header);
  connection.send(first, bytes, NEXT());
  const answer = await connection.answer(line.split(" ")[0]);
  expect(answer?.status ?? connection.end).toBe(size > maxBytes ? 413 : status);
  const goesOn = answer!.headers.connection !== "close";
  if (framing === "length" && size <= 2 ** 20) expect(goesOn).toBe(true);
  if (goesOn) {
    expect((await connection.answer())?.status ?? connection.end).toBe(200);
    connection.socket.destroy();
  } else {
    expect(await connection.answer()).toBeNull(); // nor is the next request acted on
    expect(await connection.ended()).toBe("closed");
  }
}

describe("an answer that leaves a body unread leaves the connection whole, or ends it without a reset", () => {
  for (const refusal of REFUSALS) {
    test(refusal.name, async () => {
      for (const size of SIZES) {
        for (const framing of ["length", "chunked"] as const) await exchange(refusal, size, framing);
      }
    }, TIMEOUT_MS);
  }
});

test("a text that is too long or no UTF-8 is refused in its middle, and the answer is not lost", async () => {
  const refusal = { name: "", line: "POST /api/datasets?name=a", headers: [auth, text], status: 400 };
  for (const size of [300_000, 2_000_000]) {
    for (const framing of ["length", "chunked"] as const) await exchange({ ...refusal, maxBytes: 0 }, size, framing);
  }
  const body = (size: number) => Buffer.concat([ascii(1000), Buffer.alloc(size - 1000, 0xff)]);
  await exchange({ ...refusal, body }, 10_000, "length");
  for (const size of SIZES) await exchange({ ...refusal, body, maxBytes: Infinity }, size, "chunked");
}, TIMEOUT_MS);

const refused = (header: string) => head("POST /api/none", auth, header);

test("a client that sends the rest of a refused body late keeps its connection", async () => {
  const connection = new RawConnection(server.url).send(refused("Content-Length: 300000"), ascii(100_000));
  expect((await connection.answer())?.status).toBe(404);
  await sleep(800); // past the half second after which the library would close it
  connection.send(ascii(200_000), NEXT());
  expect((await connection.answer())?.status).toBe(200);
  connection.socket.destroy();
});

test("a client that reads its answer when it has sent all gets it, however much that is", async () => {
  const connection = new RawConnection(server.url).send(head("POST /", "Content-Length: 8000000"));
  connection.socket.pause();
  for (let sent = 0; sent < 8_000_000; sent += 1_000_000) {
    connection.send(ascii(1_000_000));
    await sleep(100);
  }
  connection.socket.resume();
  const answer = await connection.answer();
  expect([answer?.status, answer?.headers.connection]).toEqual([405, "close"]);
  expect(await connection.ended()).toBe("closed");
});

test("what goes on sending is closed in the end, by time and by bytes", async () => {
  const trickle = new RawConnection(server.url, { isDeaf: true }).send(head("POST /", "Transfer-Encoding: chunked"));
  const timer = setInterval(() => trickle.send("1\r\nx\r\n"), 50);
  await trickle.ended().finally(() => clearInterval(timer));
  expect(trickle.lifeMs).toBeGreaterThan(1400); // lingerMs
  const flood = new RawConnection(server.url, { isDeaf: true }).send(head("POST /", `Content-Length: ${2 ** 30}`));
  const pour = setInterval(() => flood.socket.writableNeedDrain || flood.send(ascii(2 ** 20)), 1);
  await flood.ended().finally(() => clearInterval(pour));
  expect(flood.socket.bytesWritten).toBeLessThan(64 * 2 ** 20);
});

describe("patience ends", () => {
  test("with a head that does not come, or not whole", async () => {
    for (const start of ["", "GET /heal", "GET /healthz HTTP/1.1\r\nHost: x\r\n"]) {
      const connection = new RawConnection(server.url).send(start);
      expect((await connection.answer())?.status ?? 408).toBe(408);
      await connection.ended();
      expect(connection.lifeMs).toBeGreaterThan(450); // headMs
    }
  });

  test("with a second head that comes in part", async () => {
    const connection = new RawConnection(server.url).send(NEXT());
    expect((await connection.answer())?.status).toBe(200);
    await sleep(300);
    connection.send("GET /heal");
    await connection.ended();
    expect(connection.lifeMs).toBeGreaterThan(750);
  });

  test("with an idle connection, and the answer says when", async () => {
    const connection = new RawConnection(server.url).send(NEXT());
    expect((await connection.answer())?.headers["keep-alive"]).toBe("timeout=1"); // keepAliveMs
    await sleep(900);
    connection.send(NEXT());
    expect((await connection.answer())?.status).toBe(200);
    expect(await connection.ended()).toBe("closed");
    expect(connection.lifeMs).toBeGreaterThan(1900);
  });

  test.each([["JSON", "/api/runs", json], ["a text", "/api/datasets?name=a", text]])(
    "with a body of %s that stops",
    async (_, path, type) => {
      const connection = new RawConnection(server.url);
      connection.send(head(`POST ${path}`, auth, type, "Content-Length: 1000"), ascii(100));
      const answer = await connection.answer();
      expect([answer?.status, answer?.headers.connection]).toEqual([408, "close"]);
      expect(JSON.parse(answer!.body.toString())).toMatchObject({ status: 408, request_id: expect.any(String) });
      expect(await connection.ended()).toBe("closed");
      expect(connection.lifeMs).toBeGreaterThan(550); // bodyStallMs
    },
  );

  test("but not with a body that moves, nor with a stream that says nothing", async () => {
    const stream = new RawConnection(server.url).send(head("GET /api/events", auth, "Accept: text/event-stream"));
    const upload = new RawConnection(server.url);
    upload.send(head("POST /api/datasets?name=slow", auth, text, "Content-Length: 20"));
    for (let i = 0; i < 20; i++) {
      await sleep(100);
      upload.send("x");
    }
    expect((await upload.answer())?.status).toBe(201);
    expect(stream.end).toBe("open");
    stream.socket.destroy();
    upload.socket.destroy();
  });
});

test("connections that break off anywhere are nobody's error", async () => {
  const before = server.stderr;
  const upload = head("POST /api/datasets?name=b", auth, text, "Content-Length: 90000");
  const beginnings: (string | Uint8Array)[][] = [
    ["GET /hea"],
    [upload],
    [upload, ascii(50_000)],
    [head("POST /api/runs", auth, json, "Content-Length: 1000"), "{"],
    [head("POST /api/runs", auth, json, "Transfer-Encoding: chunked"), "5\r\n{"],
    [refused("Content-Length: 2000000"), ascii(100_000)],
    [head("GET /api/events", auth)],
    [head("GET /docs", "Accept-Encoding: gzip")],
    [head("GET /openapi.json"), head("GET /docs"), NEXT(), NEXT()],
  ];
  for (const beginning of beginnings) {
    for (const leave of ["destroy", "resetAndDestroy", "end"] as const) {
      for (const delayMs of [0, 30]) {
        const connection = new RawConnection(server.url).send(...beginning);
        await new Promise((resolve) => connection.socket.once("connect", resolve));
        await sleep(delayMs);
        connection.socket[leave]();
        if (leave === "end") await connection.ended().catch(() => connection.socket.destroy());
      }
    }
  }
  const metrics = async () =>
    (await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text();
  await waitFor("the streams' end", async () => (await metrics()).includes("reverie_sse_clients 0\n"));
  expect(server.stderr.slice(before.length)).toBe("");
});

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
