import ipaddr from "ipaddr.js";

/** An IPv4 address as it is; of IPv6 the first 64 bits, of which one client may have all addresses. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [head, tail] = address.split("%")[0].split("::").map((half) => half === "" ? [] : half.split(":"));
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill("0"), ...tail ?? []].slice(0, 4).join(":");
}

/** Whether a socket's other end is this machine, IPv4 that came over an IPv6 socket included. */
export function isLoopbackAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "loopback";
}
