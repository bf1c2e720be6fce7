import { expect, test } from "bun:test";
import { Hono } from "hono";
import { negotiate } from "#routes/negotiate.ts";

const STREAM = "text/event-stream";
const JSON_TYPE = "application/json";
const CSV = "text/csv";

async function chosen(accept: string | undefined, types: [string, ...string[]]): Promise<string> {
  const app = new Hono().get("/", (c) => c.text(negotiate(c, types)));
  return await (await app.request("/", { headers: accept === undefined ? {} : { accept } })).text();
}

test.each<[string | undefined, string]>([
  [undefined, STREAM],
  ["*/*", STREAM],
  [STREAM, STREAM],
  ["Text/Event-Stream", STREAM],
  [JSON_TYPE, JSON_TYPE],
  ["application/json; charset=utf-8", JSON_TYPE],
  [`${JSON_TYPE}, ${STREAM}`, STREAM], // equals: the route's order
  [`${JSON_TYPE}, ${STREAM};q=0.9`, JSON_TYPE],
  [`${STREAM};q=0.5, ${JSON_TYPE};q=0.8`, JSON_TYPE],
  [`${JSON_TYPE}, text/plain, */*`, JSON_TYPE], // axios
  ["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", STREAM], // Java
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", STREAM], // a browser's address bar
  [`${JSON_TYPE};q=0.1, */*`, STREAM],
  [`${STREAM};q=0, */*`, JSON_TYPE],
  ["application/*", JSON_TYPE],
  ["text/*;q=0.3, application/*;q=0.4", JSON_TYPE],
  ["text/html", STREAM], // nothing fits: the default
  [`${JSON_TYPE};q=0`, STREAM],
  [`${CSV};q=0.9, ${JSON_TYPE};q=0.2`, JSON_TYPE],
])("Accept: %s", async (accept, type) => {
  expect(await chosen(accept, [STREAM, JSON_TYPE])).toBe(type);
});

test("of three", async () => {
  const types: [string, ...string[]] = [JSON_TYPE, CSV, "application/x-ndjson"];
  expect(await chosen("text/csv;q=0.5, application/x-ndjson", types)).toBe("application/x-ndjson");
  expect(await chosen("text/*, application/json;q=0.5", types)).toBe(CSV);
  expect(await chosen("application/json;q=0.1, text/csv;q=0.2, */*;q=0.3", types)).toBe("application/x-ndjson");
});
