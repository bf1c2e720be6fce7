import type { Server } from "node:http";
import type { Socket } from "node:net";
import { isLoopbackAddress, networkOf } from "../network_address.ts";
import type { ConnectionLimits } from "./limits.ts";

/** Refusals are logged no more often than this, so that repeated attempts cannot fill the log. */
const REPORT_EVERY_MS = 60_000;

export interface RefusedConnections {
  /** The last one's address. */
  address: string;
  /** Since the report before. */
  count: number;
  limit: "maxConnections" | "maxConnectionsPerAddress";
}

/** Closes connections past the limits before a byte of them is parsed, and reports that now and then. */
export function limitConnections(
  server: Server,
  { maxConnections, maxConnectionsPerAddress }: ConnectionLimits,
  report: (refused: RefusedConnections) => void,
): void {
  const perNetwork = new Map<string, number>();
  let open = 0;
  let count = 0;
  let reportedAt = -Infinity;
  const refuse = (socket: Socket, address: string, limit: RefusedConnections["limit"]) => {
    // An error of a connection that we have just closed concerns nobody.
    socket.on("error", () => {}).destroy();
    count++;
    if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
    report({ address, count, limit });
    reportedAt = performance.now();
    count = 0;
  };
  // Before node:http's own listener, which would parse.
  server.prependListener("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const network = isLoopbackAddress(address) ? null : networkOf(address);
    if (open >= maxConnections) return refuse(socket, address, "maxConnections");
    const ofNetwork = network === null ? 0 : perNetwork.get(network) ?? 0;
    if (ofNetwork >= maxConnectionsPerAddress) return refuse(socket, address, "maxConnectionsPerAddress");
    open++;
    if (network !== null) perNetwork.set(network, ofNetwork + 1);
    socket.once("close", () => {
      open--;
      if (network === null) return;
      const left = perNetwork.get(network)! - 1;
      if (left > 0) perNetwork.set(network, left);
      else perNetwork.delete(network);
    });
  });
}
