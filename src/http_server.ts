import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { createServer, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { limitConnections, type RefusedConnections } from "./http/connections.ts";
import type { HttpLimits } from "./http/limits.ts";
import { endStalledBody } from "./http/stalled_body.ts";
import { isAfterTheEnd, settleBody } from "./http/unread_body.ts";
import { type Pieces, PulledBody } from "./pulled_body.ts";

export interface HttpServer {
  hostname: string;
  port: number;
  /** Takes no new connection; resolves when the open ones are answered. */
  close(): Promise<void>;
}

export interface Handlers {
  answer: (request: Request, remoteAddress: string) => Response | Promise<Response>;
  /** For what is HTTP but no request that could be answered: a bad Host, say. */
  refuse: (error: Error) => Response;
  /** For a body that stopped coming. */
  refuseStalled: () => Response;
  /** Connections were closed since there were too many. */
  reportRefused: (refused: RefusedConnections) => void;
}

/**
 * Listens through `node:http`. `Deno.serve` of Deno 2.9.6 gives each body that is a stream a ring of 1,024 slots, all of
 * it touched: 94 KiB a client that follows events, where this takes 25; a write costs the same. The serve task's limit
 * on V8's young generation (8 MiB a half) is part of that: without it, 1,000 clients who come at once grow it for good.
 * @throws Error where it cannot listen
 */
export function listen(
  hostname: string,
  port: number,
  { answer, refuse, refuseStalled, reportRefused }: Handlers,
  limits: HttpLimits,
): Promise<HttpServer> {
  const listener = getRequestListener(
    async (request, { incoming, outgoing }) => {
      // The library leaves the parsing of most URLs to whoever asks: a Host such as `xn--a` would throw there.
      if (!URL.canParse(request.url)) return refuse(new Error("the Host and the path make no URL"));
      const response = await answer(request, incoming.socket.remoteAddress ?? "");
      const to = outgoing as ServerResponse; // of HTTP/1.1, as the server is
      if (to.headersSent) { // the body stalled, and that was said
        await response.body?.cancel();
        return RESPONSE_ALREADY_SENT;
      }
      if (!(response.body instanceof PulledBody)) return response;
      to.writeHead(response.status, Object.fromEntries(response.headers)).flushHeaders();
      void pour(response.body.pieces, to);
      return RESPONSE_ALREADY_SENT;
    },
    { hostname, errorHandler: (error) => refuse(error instanceof Error ? error : new Error(String(error))) },
  );
  class Answer extends ServerResponse {
    /** Every answer's head comes by here, whoever writes it. */
    // deno-lint-ignore no-explicit-any -- three overloads, none of which matters here
    override writeHead(...head: any): this {
      settleBody(this.req, this, limits);
      return super.writeHead.apply(this, head);
    }
  }
  const server = createServer({
    ServerResponse: Answer,
    keepAliveTimeout: limits.keepAliveMs,
    headersTimeout: limits.headMs,
    connectionsCheckingInterval: Math.ceil(limits.headMs / 10),
    requestTimeout: 0, // an upload may take hours: its bytes are limited and its pauses, not its time
  }, (incoming, outgoing) => {
    if (isAfterTheEnd(incoming)) return;
    endStalledBody(incoming, outgoing, limits.bodyStallMs, refuseStalled);
    void listener(incoming, outgoing);
  });
  limitConnections(server, limits, reportRefused);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      const { address, port } = server.address() as AddressInfo;
      const close = () => new Promise<void>((closed) => server.close(() => closed()));
      resolve({ hostname: address, port, close });
    });
  });
}

/** Writes piece after piece, each once the socket has taken the one before. It never throws. */
async function pour(pieces: Pieces, to: ServerResponse): Promise<void> {
  let resume = () => {};
  const stop = () => {
    pieces.leave();
    resume();
  };
  to.on("drain", () => resume()).on("close", stop).on("error", stop);
  if (to.destroyed) stop();
  try {
    for (let piece = await pieces.next(); piece !== null; piece = await pieces.next()) {
      if (!to.write(piece)) await new Promise<void>((resolve) => resume = resolve);
    }
    to.end();
  } catch (error) {
    to.destroy(error instanceof Error ? error : new Error(String(error))); // the client sees a body cut off
  }
}
