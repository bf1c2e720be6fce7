import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { endStalledBody } from "#src/http/stalled_body.ts";
import { nextTurn } from "#src/turns.ts";

/** A request that announced a body of which nothing comes, and the calls that its answer gets. */
function stalledRequest() {
  const calls: string[] = [];
  const incoming = Object.assign(new EventEmitter(), {
    headers: { "content-length": "10" },
    socket: { bytesRead: 0 },
    complete: false,
    readableLength: 0,
  });
  const outgoing = Object.assign(new EventEmitter(), {
    headersSent: false,
    setHeader: () => calls.push("setHeader"),
    writeHead: () => {
      calls.push("writeHead");
      return { end: () => calls.push("end") };
    },
  });
  /** Resolves once the refusal was asked for and what follows from it is done. */
  const refused = (onRefuse: () => void) =>
    new Promise<void>((resolve) => {
      const refuse = () => {
        onRefuse();
        void nextTurn().then(nextTurn).then(resolve);
        return new Response("stalled", { status: 408 });
      };
      const [from, to] = [incoming as unknown as IncomingMessage, outgoing as unknown as ServerResponse];
      endStalledBody(from, to, 3, refuse);
    });
  return { outgoing, calls, refused };
}

test("a body of which nothing comes is refused", async () => {
  const { calls, refused } = stalledRequest();
  await refused(() => {});
  expect(calls).toEqual(["setHeader", "writeHead", "end"]);
});

test("the refusal writes no second head if the route answers at the same moment", async () => {
  const { outgoing, calls, refused } = stalledRequest();
  await refused(() => outgoing.headersSent = true);
  expect(calls).toEqual([]);
});
