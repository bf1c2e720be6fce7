import { expect, test } from "bun:test";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { Outbound, type OutboundRequest } from "#src/runs/outbound.ts";
import { attempt, type AttemptResult } from "#src/runs/webhook_attempt.ts";
import { type Answer, Receiver } from "../../support/receiver.ts";
import { waitFor } from "../../support/wait_for.ts";
import { SkippingClock } from "./webhook_clock.ts";

const SECRET = `whsec_${btoa("a key of some length")}`;

function begin(url: string, resolve?: (name: string) => Promise<string[]>) {
  const real = new Outbound({ allowPrivate: resolve === undefined, resolve });
  const head = Promise.withResolvers<void>();
  const outbound = {
    async request(url: string, request: OutboundRequest) {
      const response = await real.request(url, request);
      head.resolve();
      return response;
    },
  };
  const clock = new SkippingClock();
  const stop = new AbortController();
  const result: Promise<AttemptResult> = attempt({ id: "msg_1", body: '{"type":"ping"}', url, secrets: [SECRET] }, {
    outbound,
    clock,
    signal: stop.signal,
  });
  result.catch(() => {}); // where a test stops it, it looks itself
  return { clock, stop, head: head.promise, result };
}

/** Begins a body and writes on until the connection ends. */
const drip: Answer = (_, response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write("drip "), 5);
  response.on("close", () => clearInterval(timer));
};

test("an answer that drips is cut off after 15 s; what it said at first holds", async () => {
  await using receiver = await Receiver.listen(drip);
  const { clock, head, result } = begin(receiver.url);
  await head;
  expect(clock.skip()).toBeGreaterThan(10_000);
  expect(await result).toEqual({ responseStatus: 200, error: null, retryAfterMs: null });
  await waitFor("the connection's end", () => receiver.open === 0, { everyMs: 2 });
});

test("a head that drips is no answer", async () => {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.write("HTTP/1.1 200 OK\r\nx-drip: ");
    const timer = setInterval(() => socket.write("drip "), 5);
    socket.on("error", () => {}).on("close", () => (clearInterval(timer), open--));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { clock, result } = begin(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await waitFor("the connection", () => open === 1, { everyMs: 2 });
  clock.skip();
  expect(await result).toEqual({ responseStatus: null, error: "no answer within 15 s", retryAfterMs: null });
  await waitFor("the connection's end", () => open === 0, { everyMs: 2 });
  server.close();
});

test("an answer that never ends is read a little of", async () => {
  let bytes = 0;
  await using receiver = await Receiver.listen((_, response) => {
    const chunk = "x".repeat(10_000);
    const more = () => {
      do bytes += chunk.length; while (!response.destroyed && response.write(chunk));
    };
    response.writeHead(500).on("drain", more);
    more();
  });
  const { result } = begin(receiver.url);
  expect(await result).toMatchObject({ responseStatus: 500, error: "the endpoint answered 500" });
  await waitFor("the connection's end", () => receiver.open === 0, { everyMs: 2 });
  expect(bytes).toBeLessThan(50_000_000); // what the system's buffers hold
});

test("a name that does not resolve in time, or at all, or to the inside", async () => {
  const stuck = begin("http://stuck.example/", () => new Promise(() => {}));
  stuck.clock.skip();
  expect((await stuck.result).error).toBe("no answer within 15 s");

  const unknown = begin(
    "http://unknown.example/",
    () => Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND unknown.example"), { code: "ENOTFOUND" })),
  );
  expect((await unknown.result).error).toBe("the host name has no address");

  const inside = begin("http://inside.example/", () => Promise.resolve(["10.20.30.40"]));
  const { error } = await inside.result;
  expect(error).toContain("not on the public Internet");
  expect(error).not.toContain("10.20");
});

test("a stop is no result", async () => {
  await using receiver = await Receiver.listen(() => {});
  const { stop, result, clock } = begin(receiver.url);
  await receiver.messages(1);
  stop.abort(new Error("stopped"));
  await expect(result).rejects.toThrow("stopped");
  expect(clock.timers).toBe(0);
});
