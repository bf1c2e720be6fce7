import { expect, test } from "bun:test";
import { RunningServer, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";

test("the serve task's command prints one line with its URL, answers, and ends with 0 on SIGTERM", async () => {
  await using server = await startServer();
  expect(server.stdout.trim().split("\n")).toEqual([expect.stringContaining(server.url)]);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(server.stdout.trim().split("\n")).toHaveLength(1);
}, 90_000);

test("a server stopped the moment it says that it is ready still ends with 0", async () => {
  await using server = new RunningServer();
  await waitFor("the ready line", () => server.stdout.includes("\n"), { timeoutMs: 60_000, everyMs: 0 });
  expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
}, 90_000);

test("a second server on the same data refuses to start", async () => {
  await using server = await startServer();
  await expect(startServer({ dataFolder: server.dataFolder })).rejects.toThrow("in use by another server");
}, 90_000);
