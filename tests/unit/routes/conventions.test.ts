import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createApp } from "#src/app.ts";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const JSON_TYPE = { "content-type": "application/json" };

describe("every error is a problem", () => {
  const cases: [string, string, string, unknown, Record<string, string>, number][] = [
    ["an unknown route", "GET", "/api/nope", undefined, {}, 404],
    ["an unknown run", "GET", "/api/runs/run_1", undefined, {}, 404],
    ["an unknown hook", "POST", "/hooks/nope", "{}", {}, 404],
    ["another method", "PUT", "/api/runs", undefined, {}, 405],
    ["malformed JSON", "POST", "/api/runs", '{"dataset"', JSON_TYPE, 400],
    ["a body that is not JSON", "POST", "/api/runs", "dataset=sample", { "content-type": "text/plain" }, 415],
    ["a body of unsaid type", "POST", "/api/runs", new TextEncoder().encode("{}"), {}, 415],
    ["no body", "POST", "/api/runs", undefined, {}, 400],
    ["a field of the wrong type", "POST", "/api/runs", { dataset: "sample", batch_size: "12" }, {}, 400],
    ["an unknown field", "POST", "/api/runs", { dataset: "sample", layers: 4 }, {}, 400],
    ["something impossible", "POST", "/api/runs", { dataset: "nope" }, {}, 422],
    ["a body too large", "POST", "/api/runs", { dataset: "x".repeat(2 ** 20) }, {}, 413],
    ["a limit out of range", "GET", "/api/runs?limit=101", undefined, {}, 400],
    ["a cursor that is none", "GET", "/api/events?after=x", undefined, { accept: "application/json" }, 400],
  ];
  test.each(cases)("%s", async (_, method, path, body, headers, status) => {
    const answer = await call(fixture, method, path, body, headers);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({
      type: "about:blank",
      status,
      title: expect.any(String),
      detail: expect.any(String),
    });
    expect(answer.headers.get("x-request-id")).toBe(answer.body.request_id);
    expect(answer.text).not.toMatch(/node_modules|\.ts:|\/tmp\//);
  });

  test("a refused body says which fields", async () => {
    const { body } = await call(fixture, "POST", "/api/runs", { dataset: "sample", optimizer: { beta1: 2 }, seed: -1 });
    expect(body.errors.map(({ path }) => path).toSorted()).toEqual(["optimizer.beta1", "seed"]);
  });

  test("a 405 says what is allowed", async () => {
    expect((await call(fixture, "PUT", "/api/runs/run_1")).headers.get("allow")).toBe("DELETE, GET, HEAD, PATCH");
    expect((await call(fixture, "GET", "/api/plan")).headers.get("allow")).toBe("POST");
  });

  test("nothing was made on the way", () => {
    expect(fixture.reverie.runs.list({}, { after: null, limit: 10 })).toEqual([]);
  });
});

describe("nothing that a client asks for is passed over in silence:", () => {
  const refused = async (method: string, path: string) => {
    const { status, body } = await call(fixture, method, path, method === "POST" ? {} : undefined);
    expect([method, path, status]).toEqual([method, path, 400]);
    return body;
  };

  test("a query parameter that no route knows, on every route", async () => {
    const document = (await call<OpenApi>(fixture, "GET", "/openapi.json")).body;
    const routes = Object.entries(document.paths).filter(([path]) => path.startsWith("/api/"))
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path]));
    expect(routes.length).toBeGreaterThan(30);
    for (const [method, path] of routes) {
      const { errors } = await refused(method, `${path.replaceAll(/\{\w+\}/g, "x")}?nope=1`);
      expect(errors.map(({ path }) => path)).toEqual(["nope"]);
    }
  });

  test("and the answer says what it knows", async () => {
    const { detail, errors } = await refused("GET", "/api/runs?state=running&tags.n=1&limit=5");
    expect(detail).toContain("status");
    expect(detail).toContain("tag.*");
    expect(errors.map(({ path }) => path)).toEqual(["state", "tags.n"]);
    expect((await refused("GET", "/api/device?verbose=1")).detail).toContain("takes no query parameters");
    await refused("GET", "/api/runs?__proto__=1");
    await refused("GET", "/api/runs?constructor=1");
    await refused("GET", "/api/runs?tag=a");
    await refused("GET", "/api/runs?tag.=a");
    await refused("GET", "/api/runs?tag.a=1&tag.a=2");
    expect((await call(fixture, "HEAD", "/api/runs?state=running")).status).toBe(400);
    expect((await call(fixture, "GET", "/healthz?t=1")).status).toBe(200); // a probe's way around caches
    expect((await call(fixture, "GET", "/api/nope?a=1")).status).toBe(404);
  });

  test("a tag that a plain object would swallow finds nothing, rather than everything", async () => {
    await fixture.run({ tags: { constructor: "a" } });
    const found = async (query: string) => (await call(fixture, "GET", `/api/runs?${query}`)).body.data.length;
    expect(await found("tag.__proto__=a")).toBe(0);
    expect(await found("tag.constructor=a")).toBe(1);
  });

  test.each([
    ["/api/runs", "run"],
    ["/api/datasets", "ds"],
    ["/api/hooks", "hook"],
    ["/api/webhooks", "whe"],
    ["/api/webhooks/x/deliveries", "msg"],
    ["/api/events?format=json", null],
    ["/api/events?format=sse", null],
    ["/api/runs/x/events", null],
    ["/api/runs/x/checkpoints", null],
  ])("a cursor that %s cannot have given", async (path, prefix) => {
    const at = (after: string) => `${path}${path.includes("?") ? "&" : "?"}after=${after}`;
    const others = prefix === null ? ["run_01jdm9r5vzq2x8k4c7w3n6t0by", "-1", "1.5"] : ["1", `${prefix}_short`];
    for (const cursor of ["garbage", "", "1e3", "0x10", "9".repeat(16), ...others]) {
      expect((await refused("GET", at(cursor))).errors.map(({ path }) => path)).toEqual(["after"]);
    }
    const right = prefix === null ? "0" : `${prefix}_01jdm9r5vzq2x8k4c7w3n6t0by`;
    if (path !== "/api/events?format=sse") expect((await call(fixture, "GET", at(right))).status).not.toBe(400);
  });
});

test("a request id is taken over where it is sane", async () => {
  const ask = async (id: string) => (await call(fixture, "GET", "/healthz", undefined, { "x-request-id": id })).headers;
  expect((await ask("abc-123")).get("x-request-id")).toBe("abc-123");
  expect((await ask("a b<script>")).get("x-request-id")).not.toContain("<");
});

test("lists are paged by cursor, newest first", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift(await fixture.run({ name: `run ${i}` }));
  const first = (await call(fixture, "GET", "/api/runs?limit=3")).body;
  expect(first).toMatchObject({ object: "list", has_more: true });
  const second = (await call(fixture, "GET", `/api/runs?limit=3&after=${first.next_cursor}`)).body;
  expect(second).toMatchObject({ has_more: false, next_cursor: null });
  expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
});

describe("Idempotency-Key", () => {
  const key = { "idempotency-key": "k1" };

  test("the same key and body gives the first answer", async () => {
    const body = { dataset: "sample", max_steps: 10 };
    const answers = await Promise.all([1, 2, 3].map(() => call(fixture, "POST", "/api/runs", body, key)));
    await fixture.boot(); // and so it does after a restart
    answers.push(await call(fixture, "POST", "/api/runs", body, key));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(fixture.reverie.runs.list({}, { after: null, limit: 10 })).toHaveLength(1);
  });

  test("the same key and another body is refused", async () => {
    await call(fixture, "POST", "/api/runs", { dataset: "sample" }, key);
    expect((await call(fixture, "POST", "/api/runs", { dataset: "sample", seed: 1 }, key)).status).toBe(422);
    expect((await call(fixture, "POST", "/api/hooks", { name: "h", run: {} }, key)).status).toBe(201);
  });

  test("a refused request leaves the key free", async () => {
    expect((await call(fixture, "POST", "/api/runs", { dataset: "nope" }, key)).status).toBe(422);
    expect((await call(fixture, "POST", "/api/runs", { dataset: "sample" }, key)).status).toBe(202);
  });

  test("an answer with a secret is not in the database as it is", async () => {
    const { body } = await call(fixture, "POST", "/api/hooks", { name: "h", run: {} }, key);
    const stored = JSON.stringify(fixture.reverie.db.$client.prepare("select * from idempotency_keys, hooks").all());
    expect(stored).not.toContain(body.secret);
    expect((await call(fixture, "POST", "/api/hooks", { name: "h", run: {} }, key)).body.secret).toBe(body.secret);
  });
});

describe("with tokens", () => {
  let guarded: Fixture;
  beforeEach(async () => {
    guarded = await Fixture.open({ tokens: ["first", "second"] });
  });
  afterEach(() => guarded.close());

  test("the API wants one of them", async () => {
    const ask = (headers: Record<string, string>) => call(guarded, "GET", "/api/runs", undefined, headers);
    expect((await ask({})).status).toBe(401);
    expect((await ask({})).headers.get("www-authenticate")).toBe("Bearer");
    expect((await ask({ authorization: "Bearer wrong" })).status).toBe(401);
    expect((await ask({ authorization: "Bearer second" })).status).toBe(200);
    expect((await call(guarded, "GET", "/healthz")).status).toBe(200);
  });

  test("a browser signs in with a cookie", async () => {
    expect((await call(guarded, "POST", "/api/session", { token: "wrong" })).status).toBe(401);
    const signedIn = await call(guarded, "POST", "/api/session", { token: "first" });
    expect(signedIn.status).toBe(204);
    const cookie = signedIn.headers.get("set-cookie")!;
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect(cookie).not.toContain("first");
    expect((await call(guarded, "GET", "/api/runs", undefined, { cookie: cookie.split(";")[0] })).status).toBe(200);
  });
});

test("without tokens, pages of other sites are kept out", async () => {
  const ask = (url: string, origin?: string) =>
    Promise.resolve(fixture.app.request(url, { headers: origin === undefined ? {} : { origin } })).then(({ status }) =>
      status
    );
  expect(await ask("http://evil.example/api/runs")).toBe(403);
  expect(await ask("http://localhost:8000/api/runs", "https://evil.example")).toBe(403);
  expect(await ask("http://localhost:8000/api/runs", "null")).toBe(403);
  expect(await ask("http://127.0.0.1:8000/api/runs", "http://127.0.0.1:8000")).toBe(200);
});

test("without tokens, a proxy's name for the server is let in if it is set, and the refusal says how", async () => {
  const ask = async (path: string, headers: Record<string, string> = {}, allowedHosts: string[] = []) => {
    const answer = await createApp(fixture.reverie, { allowedHosts }).request(path, { headers });
    return [answer.status, (await answer.json()).detail ?? ""];
  };
  const upstream = "http://reverie/api/runs"; // nginx names its upstream
  const [status, detail] = await ask(upstream);
  expect(status).toBe(403);
  for (const said of ['"reverie"', "REVERIE_TOKEN", "REVERIE_ALLOWED_HOSTS=reverie"]) expect(detail).toContain(said);
  expect((await ask(upstream, {}, ["reverie"]))[0]).toBe(200);
  expect((await ask("http://reverie:8000/api/runs", {}, ["reverie"]))[0]).toBe(200);
  expect((await ask("http://other/api/runs", {}, ["reverie"]))[0]).toBe(403);
  const page = await ask(upstream, { origin: "https://train.example.com" }, ["reverie"]);
  expect(page[0]).toBe(403);
  for (const said of ["https://train.example.com", "proxy_set_header Host"]) expect(page[1]).toContain(said);
  const passed = { origin: "https://train.example.com" };
  expect((await ask("http://train.example.com/api/runs", passed, ["train.example.com"]))[0]).toBe(200);
});

test("the OpenAPI document describes every route with its schemas", async () => {
  const { body } = await call<OpenApi>(fixture, "GET", "/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  const documented = Object.entries(body.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  const served = fixture.app.routes
    .filter(({ method, path }) => method !== "ALL" && /^\/(api|hooks|healthz|readyz|metrics)/.test(path))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  expect(documented.toSorted()).toEqual([...new Set(served)].toSorted());
  expect(Object.keys(body.components.schemas.RunRequest.properties)).toContain("gradient_accumulation_steps");
});

interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, { properties: Record<string, unknown> }> };
}

test("the pages load nothing from elsewhere and name no inline script", async () => {
  for (const path of ["/", "/docs"]) {
    const page = await call(fixture, "GET", path);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
    expect(page.headers.get("content-security-policy")).not.toContain("unsafe");
    const links = [...page.text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) {
      expect((await call(fixture, "GET", new URL(link, "http://localhost/").pathname)).status).toBe(200);
    }
    expect(page.text).not.toMatch(/<script(?![^>]*src)/);
  }
  for (const path of ["/assets/../main.ts", "/assets/types.d.ts", "/assets/nope.js"]) {
    expect((await call(fixture, "GET", path)).status).toBe(404);
  }
});
