import { expect, test } from "bun:test";
import { EnvError, isLoopback, readEnv } from "#src/env.ts";

test("the defaults serve this machine only", () => {
  expect(readEnv({})).toEqual({
    port: 8000,
    host: "127.0.0.1",
    dataFolder: "./data",
    tokens: [],
    secretKey: null,
    maxUploadBytes: 4 * 2 ** 30,
    concurrency: 1,
    maxQueued: 1000,
    idleSeconds: 300,
    hangSeconds: 120,
    gpuMemoryBytes: null,
    allowPrivateUrls: false,
    corsOrigins: [],
    trustProxy: false,
    maxConnections: 4096,
    maxConnectionsPerAddress: 256,
    allowedHosts: [],
    logLevel: "info",
  });
  expect(readEnv({ PORT: "", REVERIE_TOKEN: "" }).port).toBe(8000);
});

test("tokens are separated by commas", () => {
  expect(readEnv({ REVERIE_TOKEN: "a, b,,", HOST: "0.0.0.0" }).tokens).toEqual(["a", "b"]);
});

test("what is wrong is named", () => {
  expect(() => readEnv({ PORT: "http" })).toThrow("PORT");
  expect(() => readEnv({ LOG_LEVEL: "loud" })).toThrow("LOG_LEVEL");
  expect(() => readEnv({ HOST: "0.0.0.0" })).toThrow(EnvError);
  expect(() => readEnv({ HOST: "::", REVERIE_TOKEN: " , " })).toThrow("REVERIE_TOKEN");
});

test("connections of one address are not counted behind a proxy, unless that is asked for", () => {
  const read = (variables: Record<string, string>) => readEnv(variables).maxConnectionsPerAddress;
  expect(read({ REVERIE_TRUST_PROXY: "1" })).toBe(Infinity);
  expect(read({ REVERIE_TRUST_PROXY: "1", REVERIE_MAX_CONNECTIONS_PER_ADDRESS: "1000" })).toBe(1000);
  expect(read({ REVERIE_MAX_CONNECTIONS_PER_ADDRESS: "0" })).toBe(Infinity);
  expect(() => read({ REVERIE_MAX_CONNECTIONS_PER_ADDRESS: "-1" })).toThrow("REVERIE_MAX_CONNECTIONS_PER_ADDRESS");
  expect(() => readEnv({ REVERIE_MAX_CONNECTIONS: "0" })).toThrow("REVERIE_MAX_CONNECTIONS");
});

test("hosts are names without a port", () => {
  const read = (REVERIE_ALLOWED_HOSTS: string) => readEnv({ REVERIE_ALLOWED_HOSTS }).allowedHosts;
  expect(read("Reverie, train.example.com,[2001:db8::1],")).toEqual(["reverie", "train.example.com", "[2001:db8::1]"]);
  for (const wrong of ["*", "https://a.example", "a.example:8000", "a.example/", "a b"]) {
    expect(() => read(wrong)).toThrow("REVERIE_ALLOWED_HOSTS");
  }
});

test("other origins are let in one by one", () => {
  const read = (REVERIE_CORS_ORIGINS: string) => readEnv({ REVERIE_CORS_ORIGINS }).corsOrigins;
  expect(read("https://a.example, http://localhost:3000,")).toEqual(["https://a.example", "http://localhost:3000"]);
  for (const wrong of ["*", "null", "a.example", "https://a.example/", "https://a.example:443", "HTTPS://a.example"]) {
    expect(() => read(wrong)).toThrow("REVERIE_CORS_ORIGINS");
  }
});

test("loopback is localhost, 127.0.0.0/8 and ::1", () => {
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]) expect(isLoopback(host)).toBe(true);
  for (const host of ["0.0.0.0", "::", "127.0.0.1.evil.example", "192.168.0.1"]) expect(isLoopback(host)).toBe(false);
});
