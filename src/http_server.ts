import { getRequestListener } from "@hono/node-server";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

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
}

/**
 * Listens through `node:http`. `Deno.serve` of Deno 2.9.6 gives each body that is a stream a ring of 1,024 slots, all of
 * it touched: 94 KiB a client that follows events, where this takes 30 to 40; a write costs the same.
 * @throws Error where it cannot listen
 */
export function listen(hostname: string, port: number, { answer, refuse }: Handlers): Promise<HttpServer> {
  const listener = getRequestListener(
    (request, { incoming }) => {
      // The library leaves the parsing of most URLs to whoever asks: a Host such as `xn--a` would throw there.
      if (!URL.canParse(request.url)) return refuse(new Error("the Host and the path make no URL"));
      return answer(request, incoming.socket.remoteAddress ?? "");
    },
    { hostname, errorHandler: (error) => refuse(error instanceof Error ? error : new Error(String(error))) },
  );
  // An upload may take hours: its bytes are limited, not its time.
  const server = createServer({ requestTimeout: 0 }, listener);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      const { address, port } = server.address() as AddressInfo;
      const close = () => new Promise<void>((closed) => server.close(() => closed()));
      resolve({ hostname: address, port, close });
    });
  });
}
