import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const JSON_TYPE = { "content-type": "application/json" };

function expectProblem(answer: { status: number; headers: Headers; text: string }, status: number) {
  expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
  expect(answer.text).not.toMatch(/node_modules|\.ts:|stack/);
}

const DEEP = 500_000;
const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const run = (fields: string) => `{"dataset":"sample",${fields}}`;

describe("a body of JSON is refused with", () => {
  const latin1 = new Uint8Array([...new TextEncoder().encode('{"dataset":"'), 0xff, ...new TextEncoder().encode('"}')]);
  test.each<[string, string | Uint8Array]>([
    ["half a million arrays", nest(DEEP)],
    ["half a million arrays in a field", run(`"tags":${nest(DEEP - 100)}`)],
    ["deep objects", '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000)],
    ["65 levels", run(`"tags":${nest(64)}`)],
    ["a NUL", run('"name":"a\\u0000b"')],
    ["a NUL in a key", run('"tags":{"a\\u0000":"b"}')],
    ["a lone surrogate", run('"sample":{"prompt":"\\ud800"}')],
    ["a number past a double", run('"optimizer":{"learning_rate":1e999}')],
    ["an integer past 2^53", run('"max_steps":9007199254740993')],
    ["a seed of 2^64", run('"seed":18446744073709551615')],
    ["bytes that are not UTF-8", latin1],
  ])("%s", async (_, body) => {
    for (const path of ["/api/runs", "/api/plan"]) {
      expectProblem(await call(fixture, "POST", path, body, JSON_TYPE), 400);
    }
    const hook = typeof body === "string" ? `{"name":"h","run":${body}}` : body;
    expectProblem(await call(fixture, "POST", "/api/hooks", hook, JSON_TYPE), 400);
  });

  test("the same in a signed delivery, in what the hook maps", async () => {
    const { secret } = fixture.reverie.hooks.create({
      name: "nightly",
      scheme: "standard",
      run: { dataset: "sample" },
      map: { tags: "$.tags" },
    });
    const deliver = (id: string, body: string) => {
      const at = new Date();
      return call(fixture, "POST", "/hooks/nightly", body, {
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
        "webhook-signature": new Webhook(secret).sign(id, at, body),
      });
    };
    const odd = [nest(100), '{"a":"\\u0000"}', '{"\\ud800":"a"}', "1e999"];
    for (const value of odd) {
      const answer = await deliver("mapped", `{"tags":${value}}`);
      expectProblem(answer, 422);
      expect(answer.body.errors).toEqual([{ path: "tags", message: expect.stringContaining("$.tags") }]);
    }
    for (const [i, value] of odd.entries()) {
      expect((await deliver(`other ${i}`, `{"others":${value}}`)).status).toBe(202);
    }
  });

  test("no quote of what was sent", async () => {
    const answer = await call(fixture, "POST", "/api/session", '{"token": hunter2}', JSON_TYPE);
    expectProblem(answer, 400);
    expect(answer.text).not.toContain("hunter2");
  });
});

test("64 levels, and text of every script, pass", async () => {
  const answer = await call(fixture, "POST", "/api/runs", run(`"tags":${nest(63)}`), JSON_TYPE);
  expect(answer.body.errors[0].path).toBe("tags"); // the schema's own answer
  expect((await call(fixture, "POST", "/api/runs", run('"name":"😀 \\ud83d\\ude00 ё"'), JSON_TYPE)).status).toBe(202);
});

describe("a body of another type is refused", () => {
  test.each(["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain", "application/xml"])(
    "as %s",
    async (type) => {
      for (const path of ["/api/runs", "/api/plan", "/api/hooks", "/api/session"]) {
        expectProblem(await call(fixture, "POST", path, '{"dataset":"sample"}', { "content-type": type }), 415);
      }
    },
  );
});

describe("a URL", () => {
  test.each(["%", "%0", "%00", "%ff", "a%2", "%c3%28", "run_1?tag.a=%00", "run_1?tag.a=%ff"])(
    "with %s is malformed",
    async (odd) => {
      for (const path of ["/api/runs/", "/api/datasets/", "/api/checkpoints/", "/hooks/", "/assets/", "/v1/", "/"]) {
        expectProblem(await call(fixture, path === "/hooks/" ? "POST" : "GET", path + odd), 400);
      }
    },
  );

  test.each(["..%2f..%2fsecret.key", "..%5c..%5csecret.key", "%2e%2e%2fdeno.json", "/etc/passwd", "..;/x"])(
    "with %s leads nowhere",
    async (odd) => {
      const id = await fixture.run();
      fixture.trainer.started();
      fixture.trainer.checkpointed(0);
      const [{ id: checkpoint }] = (await call(fixture, "GET", `/api/runs/${id}/checkpoints`)).body.data;
      for (const path of ["/api/runs/", "/api/datasets/", `/api/checkpoints/${checkpoint}/files/`, "/assets/", "/"]) {
        expect((await call(fixture, "GET", path + odd)).status).toBe(404);
      }
    },
  );

  test("has at most 8 KiB", async () => {
    const ask = (length: number) => call(fixture, "GET", `/api/runs?tag.a=${"x".repeat(length)}`);
    expect((await ask(8000)).status).toBe(200);
    expectProblem(await ask(8192), 414);
  });
});

test("headers have at most 16 KiB together", async () => {
  const ask = (headers: Record<string, string>) => call(fixture, "GET", "/healthz", undefined, headers);
  expect((await ask({ "x-long": "x".repeat(16_000) })).status).toBe(200);
  expectProblem(await ask({ "x-long": "x".repeat(16_384) }), 431);
  const many = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`x-header-${i}`, "x".repeat(180)]));
  expectProblem(await ask(many), 431);
});

test("a Host that is none is malformed", async () => {
  const request = { url: "http://local host/api/runs", method: "GET", headers: new Headers() } as Request;
  const response = await fixture.app.fetch(request);
  expect(response.status).toBe(400);
});

describe("security headers", () => {
  test.each([
    ["GET", "/healthz", 200],
    ["GET", "/api/runs", 200],
    ["GET", "/api/nope", 404],
    ["PUT", "/api/runs", 405],
    ["GET", "/%ff", 400],
    ["GET", "/openapi.json", 200],
    ["GET", "/metrics", 200],
    ["GET", "/", 200],
    ["GET", "/docs", 200],
    ["GET", "/assets/main.js", 200],
  ])("of %s %s", async (method, path, status) => {
    const answer = await call(fixture, method, path);
    expect(answer.status).toBe(status);
    const { headers } = answer;
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("permissions-policy")).toContain("camera=()");
    expect(headers.get("content-security-policy")).toStartWith("default-src 'none'");
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(headers.get("content-security-policy")).not.toContain("unsafe-eval");
    expect(headers.get("strict-transport-security")).toBeNull();
    if (path.startsWith("/api")) expect(headers.get("cache-control")).toBe("no-store");
  });

  test("say https only where it is", async () => {
    const { headers } = await call(fixture, "GET", "/healthz", undefined, { "x-forwarded-proto": "https" });
    expect(headers.get("strict-transport-security")).toBe("max-age=31536000");
  });

  test("leave streams and files their own caching", async () => {
    const stream = await fixture.app.request("/api/events");
    expect(stream.headers.get("cache-control")).toBe("no-cache, no-transform");
    await stream.body!.cancel();
    await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(0);
    const { id } = fixture.reverie.checkpoints.get(
      (await call(fixture, "GET", `/api/runs/${fixture.trainer.start.run_id}/checkpoints`)).body.data[0].id,
    );
    const file = await call(fixture, "GET", `/api/checkpoints/${id}/files/config.json`);
    expect(file.headers.get("cache-control")).not.toBe("no-store");
  });
});
