import { expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { denoPath, ROOT } from "../support/deno.ts";
import { RunningServer, serveArguments, startServer } from "../support/server.ts";
import { Client } from "./client.ts";

const TIMEOUT_MS = 90_000;
const MAY = [
  "write in the data folder",
  "read in the data folder",
  "read its own code",
  "read REVERIE_DATA",
];

test("what the server's process may do ends at its code, its data folder and the network", async () => {
  const folder = mkdtempSync(join(tmpdir(), "reverie-permissions-"));
  try {
    const [data, outside] = [join(folder, "data"), join(folder, "outside")];
    mkdirSync(data);
    writeFileSync(outside, "not the server's");
    const env = { ...process.env, REVERIE_DATA: data };
    const flags = serveArguments(env).slice(0, -1);
    const probe = [...flags, "tests/server/permission_probe.ts", data, outside];
    const { stdout } = await promisify(execFile)(denoPath(), probe, { cwd: ROOT, env, timeout: TIMEOUT_MS });
    const outcomes = Object.entries(JSON.parse(stdout) as Record<string, string>);
    expect(outcomes.length).toBeGreaterThan(15);
    expect(outcomes.filter(([, outcome]) => outcome === "done").map(([name]) => name)).toEqual(MAY);
    for (const [name, outcome] of outcomes.filter(([name]) => !MAY.includes(name))) {
      expect(`${name}: ${outcome}`).toMatch(/Requires (\w+ )?access|NotCapable|remote specifier/i);
    }
    expect(readFileSync(outside, "utf8")).toBe("not the server's");
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(`${ROOT}src/permission_probe.tmp`, { force: true });
  }
}, TIMEOUT_MS);

test("the serve task names what it allows, and allows no process to be started", () => {
  const flags = serveArguments({ ...process.env, REVERIE_DATA: "data" });
  expect(flags).toContain("--no-prompt");
  for (const broad of ["-A", "--allow-all", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"]) {
    expect(flags).not.toContain(broad);
  }
  expect(flags.filter((flag) => /^--allow-(run|ffi$|import)/.test(flag))).toEqual([]);
});

test("a data folder may have spaces, and one with a comma is refused in words", async () => {
  const folder = mkdtempSync(join(tmpdir(), "reverie-spaces-"));
  try {
    await using server = await startServer({ dataFolder: join(folder, "my data") });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(existsSync(join(folder, "my data", "reverie.db"))).toBe(true);
    expect(() => new RunningServer({ dataFolder: join(folder, "a,b") })).toThrow(/has a comma/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, TIMEOUT_MS);

test("half a million nested arrays, odd URLs and odd hosts are problems over a socket too", async () => {
  await using server = await startServer({ env: { REVERIE_TOKEN: "" } });
  const client = new Client(server.url);
  const nested = "[".repeat(500_000) + "]".repeat(500_000);
  for (const body of [nested, `{"dataset":"sample","tags":${nested.slice(100, -100)}}`, '{"dataset":"\\u0000"}']) {
    const headers = { "content-type": "application/json" };
    for (const path of ["/api/runs", "/api/hooks"]) {
      const answer = await client.fetch(path, { method: "POST", headers, body });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([400, "application/problem+json"]);
      await answer.body?.cancel();
    }
  }
  for (const path of ["/%", "/api/runs/%00", "/api/datasets/%ff"]) expect((await client.fetch(path)).status).toBe(400);
  expect((await client.fetch(`/api/runs?tag.a=${"x".repeat(9000)}`)).status).toBe(414);
  expect((await client.fetch("/healthz", { headers: { "x-long": "x".repeat(20_000) } })).status).toBe(431);
  expect(await statusOf(server.url, "Host: no host")).toBe(400);
  expect(await statusOf(server.url, "Host: evil.example")).toBe(403);
  expect(server.stderr).not.toContain('"level":50');
}, TIMEOUT_MS);

/** The status of a request that no client library would send. */
async function statusOf(url: string, header: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let text = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, bytes) => {
        text += bytes.toString();
        const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
        if (status !== undefined) resolve(Number(status));
      },
      close: () => reject(new Error("closed without an answer")),
      error: (_, error) => reject(error),
    },
  });
  socket.write(`GET /api/runs HTTP/1.1\r\n${header}\r\n\r\n`);
  try {
    return await promise;
  } finally {
    socket.end();
  }
}

test("failures are counted by the socket's address, and sign-ins go on", async () => {
  await using server = await startServer({ env: { REVERIE_TOKEN: "the-token" } });
  const ask = async (token: string) =>
    (await fetch(`${server.url}/api/runs`, { headers: { authorization: `Bearer ${token}`, "x-forwarded-for": token } }))
      .status;
  expect(await ask("the-token")).toBe(200);
  const guesses = [];
  for (let i = 0; i < 12; i++) guesses.push(await ask(`guess${i}`));
  expect(guesses).toEqual([...Array<number>(10).fill(401), 429, 429]);
  expect(await ask("the-token")).toBe(200);
  expect(server.stderr).toContain('"address":"127.0.0.1"');
  expect(server.stderr).not.toMatch(/the-token|guess/);
}, TIMEOUT_MS);
