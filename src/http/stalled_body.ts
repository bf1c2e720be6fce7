import type { IncomingMessage, ServerResponse } from "node:http";
import { announcesBody } from "./unread_body.ts";

const LOOKS = 3;

/**
 * Ends a request of whose body nothing more comes. Bytes that wait here for a slow disk are no stall of the client's, and
 * what moves may take as long as it likes.
 */
export function endStalledBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  bodyStallMs: number,
  refuse: () => Response,
): void {
  if (!announcesBody(incoming)) return;
  const { socket } = incoming;
  let seen = socket.bytesRead;
  let stalled = 0;
  const look = () => {
    if (incoming.complete || outgoing.headersSent) return stop();
    const moves = socket.bytesRead !== seen || incoming.readableLength > 0;
    stalled = moves ? 0 : stalled + 1;
    seen = socket.bytesRead;
    if (stalled < LOOKS) return;
    stop();
    void answerAndEnd(incoming, outgoing, refuse());
  };
  const timer = setInterval(look, bodyStallMs / LOOKS);
  const stop = () => clearInterval(timer);
  incoming.once("end", stop).once("close", stop);
  outgoing.once("close", stop);
}

/** The body's reader learns that it broke off once the client has its answer. */
async function answerAndEnd(incoming: IncomingMessage, outgoing: ServerResponse, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  if (outgoing.headersSent) return; // the route answered meanwhile, and a second head would throw
  outgoing.once("close", () => incoming.destroy(Object.assign(new Error("the body stalled"), { code: "ECONNRESET" })));
  outgoing.setHeader("connection", "close");
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(body);
}
