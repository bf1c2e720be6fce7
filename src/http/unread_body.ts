import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import type { PatienceLimits } from "./limits.ts";

/** Connections that have had their last answer: what comes on them is read and thrown away. */
const ended = new WeakSet<Socket>();

/** Whether a request came behind one that ended its connection. RFC 9112 forbids to act on it: nobody will see an answer. */
export function isAfterTheEnd({ socket }: IncomingMessage): boolean {
  return ended.has(socket);
}

/**
 * Sees to a request's body that nobody has read when the answer's head is about to be written, whatever the answer is.
 * Left alone, it stands before the next request on the connection, which would never be read. A small rest is read and
 * thrown away, and the connection stays open. Otherwise the answer says `Connection: close`, and the connection lingers:
 * closed with bytes unread, the kernel would send a reset, and the client might lose the answer that it was sent.
 */
export function settleBody(incoming: IncomingMessage, outgoing: ServerResponse, limits: PatienceLimits): void {
  if (incoming.complete || incoming.destroyed || !announcesBody(incoming)) return;
  // Without listeners the stream lets go of what it gets. A reader may still have its hand on it, and would pause it.
  incoming.removeAllListeners("data").removeAllListeners("readable").on("error", () => {}).resume();
  const isSmall = Number(incoming.headers["content-length"] ?? Infinity) <= limits.maxDiscardedBytes;
  const isLast = !outgoing.shouldKeepAlive || outgoing.getHeader("connection") === "close";
  if (isSmall && !isLast) return keepUntilItsEnd(incoming);
  outgoing.setHeader("connection", "close");
  ended.add(incoming.socket);
  linger(incoming, limits);
}

export function announcesBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** @hono/node-server closes a connection with a body unread half a second after the answer; a slow client needs longer. */
function keepUntilItsEnd(incoming: IncomingMessage): void {
  const { socket } = incoming;
  const { destroySoon } = socket;
  socket.destroySoon = () => {};
  incoming.once("end", () => socket.destroySoon = destroySoon);
}

/**
 * Takes the place of what node:http calls once the last answer was written, which would close both directions at once.
 * Here ours is closed, and the client's is read to its end, within bounds.
 */
function linger(incoming: IncomingMessage, limits: PatienceLimits): void {
  const { socket } = incoming;
  const destroy = () => socket.destroy();
  let bytes = 0;
  let stall: ReturnType<typeof setTimeout> | undefined;
  incoming.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > limits.maxLingerBytes) destroy();
    else stall?.refresh();
  });
  socket.destroySoon = () => {
    if (stall !== undefined) return;
    if (socket.writable) socket.end();
    stall = setTimeout(destroy, limits.lingerStallMs);
    const total = setTimeout(destroy, limits.lingerMs);
    socket.once("close", () => {
      clearTimeout(stall);
      clearTimeout(total);
    });
    const finish = () => socket.writableFinished ? destroy() : socket.once("finish", destroy);
    if (incoming.complete) finish();
    else incoming.once("end", finish);
  };
}
