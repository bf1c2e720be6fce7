import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { Server } from "node:http";
import { limitConnections, type RefusedConnections } from "#src/http/connections.ts";
import { isLoopbackAddress } from "#src/network_address.ts";

class FakeSocket extends EventEmitter {
  destroyed = false;
  constructor(readonly remoteAddress: string) {
    super();
  }
  destroy(): this {
    this.destroyed = true;
    this.emit("close");
    return this;
  }
}

function open(maxConnections: number, maxConnectionsPerAddress: number) {
  const server = new EventEmitter();
  const refused: RefusedConnections[] = [];
  const order: string[] = [];
  server.on("connection", (socket: FakeSocket) => order.push(socket.destroyed ? "refused" : "served"));
  limitConnections(server as Server, { maxConnections, maxConnectionsPerAddress }, (one) => refused.push(one));
  const connect = (address: string): FakeSocket => {
    const socket = new FakeSocket(address);
    server.emit("connection", socket);
    return socket;
  };
  return { connect, refused, order };
}

test("one address has its share, and gets it back; IPv6 is counted by network", () => {
  const { connect, refused, order } = open(100, 2);
  const first = connect("203.0.113.1");
  connect("::ffff:203.0.113.1");
  expect(connect("203.0.113.1").destroyed).toBe(true);
  expect(connect("203.0.113.2").destroyed).toBe(false);
  first.destroy();
  expect(connect("203.0.113.1").destroyed).toBe(false);
  connect("2001:db8:1:2::1");
  connect("2001:db8:1:2::2");
  expect(connect("2001:db8:1:2::3").destroyed).toBe(true);
  expect(connect("2001:db8:1:3::3").destroyed).toBe(false);
  // Before anything parses, and reported once for all that come within the minute.
  expect(order.filter((what) => what === "refused")).toHaveLength(2);
  expect(refused).toEqual([{ address: "203.0.113.1", count: 1, limit: "maxConnectionsPerAddress" }]);
});

test("this machine has no share, but the whole has an end", () => {
  const { connect, refused } = open(3, 1);
  for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) expect(connect(address).destroyed).toBe(false);
  expect(connect("127.0.0.1").destroyed).toBe(true);
  expect(refused).toEqual([{ address: "127.0.0.1", count: 1, limit: "maxConnections" }]);
});

test("loopback is told", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    expect(isLoopbackAddress(address)).toBe(true);
  }
  for (const address of ["", "203.0.113.1", "::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0.1"]) {
    expect(isLoopbackAddress(address)).toBe(false);
  }
});
