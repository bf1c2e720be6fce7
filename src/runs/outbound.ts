import { Buffer } from "node:buffer";
import { lookup } from "node:dns/promises";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { hostOf, isPublicAddress, NOT_PUBLIC, OutboundUrlError, parseOutboundUrl } from "./outbound_url.ts";

/** Asks for every address of a name. */
export type Resolve = (name: string) => Promise<string[]>;

export interface OutboundRequest {
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string;
  /** Ends the request at any time, its answer's body included. */
  signal: AbortSignal;
}

/** Another address of the same name may still answer: nothing was sent to this one. */
const NOT_REACHED = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"];

/**
 * Calls URLs that clients gave. A name is resolved once, all of its addresses are checked, and the connection goes to a
 * checked address itself: nothing is left to resolve, so a name that changes its answer meanwhile (DNS rebinding) gains
 * nothing. TLS is still verified against the name. Redirects are not followed and proxies not asked.
 */
export class Outbound {
  readonly #allowPrivate: boolean;
  readonly #resolve: Resolve;

  constructor({ allowPrivate, resolve = resolveBySystem }: { allowPrivate: boolean; resolve?: Resolve }) {
    this.#allowPrivate = allowPrivate;
    this.#resolve = resolve;
  }

  /** What can be said of a URL before it is called. @throws {OutboundUrlError} */
  parse(url: string): URL {
    return parseOutboundUrl(url, { allowPrivate: this.#allowPrivate });
  }

  /**
   * Resolves with the answer's head; its body is the caller's to read or destroy.
   * @throws {OutboundUrlError}, an error with a `code` of the network's, or the signal's reason
   */
  async request(text: string, request: OutboundRequest): Promise<IncomingMessage> {
    const url = this.parse(text);
    const addresses = await this.#addressesOf(url, request.signal);
    for (const [i, address] of addresses.entries()) {
      try {
        return await send(url, address, request);
      } catch (error) {
        if (i === addresses.length - 1 || !NOT_REACHED.includes(codeOf(error) ?? "")) throw error;
      }
    }
    throw new OutboundUrlError("its host has no address");
  }

  async #addressesOf(url: URL, signal: AbortSignal): Promise<string[]> {
    const host = hostOf(url);
    if (isIP(host)) return [host]; // checked by `parse`
    const addresses = await orAborted(this.#resolve(host), signal);
    // One private address among public ones is an attack or a mistake.
    if (!this.#allowPrivate && !addresses.every(isPublicAddress)) throw new OutboundUrlError(NOT_PUBLIC);
    return addresses;
  }
}

/** The system's name for what went wrong, where the error has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

async function resolveBySystem(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** Waits for work that cannot be called off, only left: a look-up, say. @throws the signal's reason */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const stop = () => aborted.reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function send(url: URL, address: string, { method, headers, body, signal }: OutboundRequest): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const host = hostOf(url);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (url.protocol === "https:" ? https : http).request({
    agent: false, // a connection of its own: one kept open would be to an address checked for another call
    host: address,
    port: url.port || (url.protocol === "https:" ? 443 : 80),
    path: url.pathname + url.search,
    method,
    headers: { ...headers, host: url.host, "content-length": Buffer.byteLength(body ?? "") },
    servername: isIP(host) ? "" : host,
  });
  const stop = () => request.destroy(signal.reason);
  signal.addEventListener("abort", stop);
  request.on("close", () => signal.removeEventListener("abort", stop));
  request.on("error", reject); // stays: a socket may fail after its answer began, and that is the body's to report
  request.on("response", resolve);
  request.end(body);
  return promise;
}
