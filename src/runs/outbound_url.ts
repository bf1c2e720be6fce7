import ipaddr from "ipaddr.js";

/** A URL that the server will not call, and why, in words for the client that gave it. */
export class OutboundUrlError extends Error {
  override name = "OutboundUrlError";
}

const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];
/** An IPv4 address behind a translator: https://www.rfc-editor.org/rfc/rfc6052. */
const NAT64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("64:ff9b::"), 96];

/**
 * Whether an address is one on the Internet: not private, loopback, link-local, unspecified, multicast, carrier-grade
 * NAT, documentation or anything else that IANA keeps for a purpose. An IPv4 address within an IPv6 one counts as what
 * it is; 6to4 and Teredo, which nobody runs any more, are refused whole.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text); // unwraps ::ffff:a.b.c.d
  if (address.range() === "unicast") return address.kind() === "ipv4" || address.match(GLOBAL_UNICAST);
  return address.kind() === "ipv6" && address.match(NAT64) && isPublicAddress(lastFourBytes(address));
}

function lastFourBytes(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address.toByteArray().slice(-4).join(".");
}

/** The name or address of a URL, an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/**
 * Reads a URL that a client gave, as far as can be said without asking DNS. The WHATWG parser has then turned every
 * spelling of an IPv4 address (decimal, octal, hexadecimal, short, full-width) into four numbers.
 * @throws {OutboundUrlError}
 */
export function parseOutboundUrl(text: string, { allowPrivate }: { allowPrivate: boolean }): URL {
  if (!URL.canParse(text)) throw new OutboundUrlError("it is not an absolute URL");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new OutboundUrlError("only https and http are called");
  }
  if (url.username !== "" || url.password !== "") {
    throw new OutboundUrlError("it must not hold a user name or password: deliveries are signed instead");
  }
  const host = hostOf(url);
  if (host.endsWith(".")) throw new OutboundUrlError("its host must not end with a dot");
  if (allowPrivate) return url;
  const isRefused = ipaddr.isValid(host) ? !isPublicAddress(host) : /(^|\.)localhost$/.test(host);
  if (isRefused) throw new OutboundUrlError(NOT_PUBLIC);
  return url;
}

export const NOT_PUBLIC =
  "its host is not on the public Internet, and REVERIE_ALLOW_PRIVATE_URLS=1 is not set, so it is not called";
