import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, inflateSync } from "node:zlib";
import { Hono } from "hono";
import { compressAnswers } from "#routes/compression.ts";
import { serveFile } from "#routes/serve_file.ts";
import { Fixture } from "../runs/fixture.ts";
import { call, upload } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

async function get(path: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await fixture.app.request(path, { method, headers });
  return { status: response.status, headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) };
}

const GZIP = { "accept-encoding": "gzip, deflate, br, zstd" };
const LONG = ["/openapi.json", "/assets/main.js", "/assets/style.css", "/assets/icon.svg", "/", "/metrics"];

describe("an answer is compressed", () => {
  test.each(LONG)("%s", async (path) => {
    const plain = await get(path);
    expect(plain.headers.get("content-encoding")).toBeNull();
    const packed = await get(path, GZIP);
    if (plain.bytes.length < 1024) return expect(packed.headers.get("content-encoding")).toBeNull();
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(packed.headers.get("vary")).toBe("Accept-Encoding");
    expect(packed.headers.get("content-length")).toBeNull();
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 2);
    // The numbers of /metrics move.
    if (path !== "/metrics") expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true);
  });

  test("as far as the client takes it", async () => {
    const encoding = async (accepted: string) =>
      (await get("/openapi.json", { "accept-encoding": accepted })).headers.get("content-encoding");
    for (const none of ["identity", "br", "gzip;q=0", ""]) expect(await encoding(none)).toBeNull();
    expect(await encoding("gzip;q=0.2, deflate")).toBe("deflate");
    expect(await encoding("*")).toBe("gzip");
    const { bytes } = await get("/openapi.json", { "accept-encoding": "deflate" });
    expect(JSON.parse(inflateSync(bytes).toString()).openapi).toBe("3.1.0");
  });

  test("a list", async () => {
    for (let i = 0; i < 3; i++) await call(fixture, "POST", "/api/runs", { dataset: "sample" });
    const list = await get("/api/runs", GZIP);
    expect(list.headers.get("content-encoding")).toBe("gzip");
    expect(JSON.parse(gunzipSync(list.bytes).toString()).data).toHaveLength(3);
  });
});

describe("an answer stays as it is", () => {
  test("if it is short", async () => {
    const { headers, bytes } = await get("/healthz", GZIP);
    expect([headers.get("content-encoding"), headers.get("content-length")]).toEqual([null, String(bytes.length)]);
    expect(new TextDecoder().decode(bytes)).toBe('{"status":"ok"}');
    expect((await get("/api/runs/run_x", GZIP)).headers.get("content-encoding")).toBeNull();
  });

  test("if it is a stream", async () => {
    const response = await fixture.app.request("/api/events", { headers: { ...GZIP, accept: "text/event-stream" } });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("content-encoding")).toBeNull();
    await response.body!.cancel();
  });

  test("if it is an answer to HEAD, which leaves no follower behind", async () => {
    for (const path of [...LONG, "/api/events", "/healthz"]) {
      const { status, headers, bytes } = await get(path, GZIP, "HEAD");
      expect([status, headers.get("content-encoding"), bytes.length]).toEqual([200, null, 0]);
    }
    expect(new TextDecoder().decode((await get("/metrics")).bytes)).toContain("reverie_sse_clients 0\n");
  });

  test("if it is a file, whose ranges and hash count its own bytes", async () => {
    const path = join(fixture.folder, "config.json");
    const content = JSON.stringify({ n: "1".repeat(5000) });
    writeFileSync(path, content);
    const file = { source: path, name: "config.json", bytes: content.length, sha256: "abc" };
    const app = new Hono().use(compressAnswers).get("/", (c) => serveFile(c.req.raw, file));
    const whole = await app.request("/", { headers: GZIP });
    expect([whole.status, whole.headers.get("etag"), await whole.text()]).toEqual([200, '"abc"', content]);
    expect(whole.headers.get("content-length")).toBe(String(content.length));
    const part = await app.request("/", { headers: { ...GZIP, range: "bytes=0-1999" } });
    expect([part.status, await part.text()]).toEqual([206, content.slice(0, 2000)]);
  });

  test("if it is a 204", async () => {
    const { body: { id } } = await upload(fixture, "a", "text");
    const answer = await get(`/api/datasets/${id}`, GZIP, "DELETE");
    expect([answer.status, answer.headers.get("content-encoding")]).toEqual([204, null]);
  });
});

test("who has it is told so, by the ETag of either form, and gets a new one when it is another", async () => {
  for (const path of ["/openapi.json", "/assets/main.js", "/"]) {
    const plain = (await get(path)).headers.get("etag")!;
    const packed = (await get(path, GZIP)).headers.get("etag")!;
    expect(plain).toMatch(/^"[\w-]{43}"$/);
    expect(packed).toBe(`W/${plain}`);
    for (const tag of [plain, packed, `"other", ${packed}`, "*"]) {
      for (const headers of [GZIP, {}]) {
        const answer = await get(path, { ...headers, "if-none-match": tag });
        expect([answer.status, answer.bytes.length, answer.headers.get("content-encoding")]).toEqual([304, 0, null]);
        expect(answer.headers.get("cache-control")).toBe("no-cache");
      }
    }
    expect((await get(path, { "if-none-match": '"other"' })).status).toBe(200);
  }
  const shared = await get("/openapi.json");
  expect((await get("/openapi.json")).headers.get("etag")).toBe(shared.headers.get("etag"));
});
