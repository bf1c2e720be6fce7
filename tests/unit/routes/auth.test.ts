import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { createHmac } from "node:crypto";
import { networkOf } from "#src/network_address.ts";
import { createApp } from "#src/app.ts";
import { checked } from "../../support/checked_app.ts";
import { Fixture } from "../runs/fixture.ts";

const TOKEN = "first-token-of-the-tests";
const OWN = { "sec-fetch-site": "same-origin" };

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open({ tokens: [TOKEN, "second"] });
});
afterEach(async () => {
  setSystemTime();
  await fixture.close();
});

type Call = { headers?: Record<string, string>; body?: string; from?: string };

/** As over a socket from `from`; over none without it. */
async function ask(method: string, path: string, { headers, body, from }: Call = {}) {
  return await fixture.app.request(path, { method, headers, body }, { remoteAddress: from });
}

function signIn(token: string, call: Call = {}) {
  const headers = { "content-type": "application/json", ...call.headers };
  return ask("POST", "/api/session", { ...call, headers, body: JSON.stringify({ token }) });
}

async function sessionOf(token = TOKEN): Promise<string> {
  const cookie = (await signIn(token)).headers.get("set-cookie");
  return cookie!.split(";")[0];
}

describe("a session", () => {
  test("is a cookie that scripts, other sites and plain http do not get", async () => {
    const over = async (headers = {}) => (await signIn(TOKEN, { headers })).headers.get("set-cookie");
    expect(await over()).toMatch(
      /^reverie_session=\d+\.[\w-]{43}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    expect(await over({ "x-forwarded-proto": "https" })).toContain("; Secure");
    expect(await over()).not.toContain(TOKEN);
  });

  test("reads", async () => {
    const cookie = await sessionOf("second");
    expect((await ask("GET", "/api/runs", { headers: { cookie } })).status).toBe(200);
    const session = await (await ask("GET", "/api/session", { headers: { cookie } })).json();
    expect(session).toEqual({ expires_at: expect.stringMatching(/^\d{4}-/) });
    const stream = await ask("GET", "/api/events", { headers: { cookie, "sec-fetch-site": "same-origin" } });
    expect(stream.status).toBe(200);
    await stream.body!.cancel();
  });

  test("ends after 30 days, whatever the browser keeps", async () => {
    const cookie = await sessionOf();
    const day = 86_400_000;
    const after = async (days: number) => {
      setSystemTime(Date.now() + days * day);
      return await ask("GET", "/api/runs", { headers: { cookie } });
    };
    expect((await after(29)).status).toBe(200);
    const over = await after(2);
    expect(over.status).toBe(401);
    expect(over.headers.get("set-cookie")).toStartWith("reverie_session=; Max-Age=0");
  });

  test("cannot be lengthened, moved to another server's tokens, or made up", async () => {
    const [end, proof] = (await sessionOf()).slice("reverie_session=".length).split(".");
    const old = createHmac("sha256", TOKEN).update("reverie session 1").digest("base64url");
    for (const forged of [`${Number(end) + 1}.${proof}`, `${end}.${"A".repeat(43)}`, `${end}.`, `.${proof}`, old, ""]) {
      const headers = { cookie: `reverie_session=${forged}` };
      expect((await ask("GET", "/api/runs", { headers })).status).toBe(401);
    }
    const other = await Fixture.open({ tokens: ["another"] });
    const headers = { cookie: `reverie_session=${end}.${proof}` };
    expect((await other.app.request("/api/runs", { headers })).status).toBe(401);
    await other.close();
  });

  test("is ended by signing out", async () => {
    const out = await ask("DELETE", "/api/session");
    expect([out.status, out.headers.get("set-cookie")?.split(";")[1]]).toEqual([204, " Max-Age=0"]);
  });
});

describe("a change by session", () => {
  test.each<[string, Record<string, string>, number]>([
    ["from our page", OWN, 404],
    ["from our page in a browser without Sec-Fetch-Site", { origin: "http://localhost" }, 404],
    ["from nowhere in particular", {}, 403],
    ["from another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }, 403],
    ["from a neighbour's page", { "sec-fetch-site": "same-site" }, 403],
    ["from an address bar", { "sec-fetch-site": "none" }, 403],
    ["from another origin", { origin: "https://evil.example" }, 403],
    ["from another port", { origin: "http://localhost:81" }, 403],
    ["from a sandboxed frame", { origin: "null" }, 403],
    ["whose Origin lies", { "sec-fetch-site": "cross-site", origin: "http://localhost" }, 403],
  ])("%s", async (_, headers, status) => {
    const cookie = await sessionOf();
    for (const [method, path] of [["DELETE", "/api/runs/run_1"], ["POST", "/api/runs/run_1/cancel"]]) {
      const answer = await ask(method, path, { headers: { cookie, ...headers } });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
    }
  });

  test("by token needs no page", async () => {
    const authorization = `Bearer ${TOKEN}`;
    const pages: Record<string, string>[] = [{}, { origin: "https://evil.example" }, {
      "sec-fetch-site": "cross-site",
    }];
    for (const headers of pages) {
      expect((await ask("DELETE", "/api/runs/run_1", { headers: { authorization, ...headers } })).status).toBe(404);
    }
  });

  test("behind a proxy that keeps the Host to itself is refused with what to set", async () => {
    const headers = { origin: "http://train.example.com" };
    const cookie = await sessionOf();
    const refused = await Promise.all([
      signIn(TOKEN, { headers }),
      ask("DELETE", "/api/runs/run_1", { headers: { cookie, ...headers } }),
    ]);
    for (const answer of refused) {
      expect(answer.status).toBe(403);
      expect((await answer.json()).detail).toContain("proxy_set_header Host");
    }
    const elsewhere = await signIn(TOKEN, { headers: { ...headers, "sec-fetch-site": "cross-site" } });
    expect((await elsewhere.json()).detail).not.toContain("proxy");
  });

  test("another site signs nobody in or out", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    expect((await signIn(TOKEN, { headers })).status).toBe(403);
    expect((await ask("DELETE", "/api/session", { headers })).status).toBe(403);
  });
});

describe("failed attempts", () => {
  const bearer = (token: string, from: string | undefined, headers = {}) =>
    ask("GET", "/api/runs", { from, headers: { authorization: `Bearer ${token}`, ...headers } });
  const fail = async (n: number, from: string | undefined) => {
    const statuses = [];
    for (let i = 0; i < n; i++) statuses.push((await bearer(`guess ${i}`, from)).status);
    return statuses;
  };

  test("past ten in a minute are refused unseen, until the minute is over", async () => {
    expect(await fail(12, "203.0.113.1")).toEqual([...Array<number>(10).fill(401), 429, 429]);
    const refused = await bearer(TOKEN, "203.0.113.1");
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get("retry-after"));
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await refused.json()).toMatchObject({ title: "Too many requests", status: 429 });
    expect((await bearer(TOKEN, "203.0.113.2")).status).toBe(200);
    setSystemTime(Date.now() + 61_000);
    expect((await bearer(TOKEN, "203.0.113.1")).status).toBe(200);
  });

  test("at once are no way around", async () => {
    const guesses = Array.from({ length: 40 }, (_, i) => signIn(`guess ${i}`, { from: "203.0.113.1" }));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(30);
  });

  test("are none where a good token is shown by many at once", async () => {
    const from = "203.0.113.1";
    const answers = await Promise.all(Array.from({ length: 40 }, () => bearer(TOKEN, from)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await fail(10, from);
    expect((await bearer("second", from)).status).toBe(429);
  });

  test("of others behind the same address lock out nobody who is in", async () => {
    const from = "203.0.113.1";
    const cookie = await sessionOf();
    const byCookie = () => ask("GET", "/api/runs", { from, headers: { cookie } });
    expect([(await bearer(TOKEN, from)).status, (await byCookie()).status]).toEqual([200, 200]);
    await fail(11, from);
    expect([(await bearer(TOKEN, from)).status, (await byCookie()).status]).toEqual([200, 200]);
    expect((await bearer("second", from)).status).toBe(429);
    expect((await bearer("guess", from)).status).toBe(429);
    setSystemTime(Date.now() + 3_601_000);
    await fail(10, from);
    expect((await bearer(TOKEN, from)).status).toBe(429);
  });

  test("count together: tokens, sessions and sign-ins", async () => {
    const from = "203.0.113.1";
    await fail(8, from);
    expect((await ask("GET", "/metrics", { from, headers: { cookie: "reverie_session=1.x" } })).status).toBe(401);
    expect((await signIn("guess", { from })).status).toBe(401);
    expect((await signIn(TOKEN, { from })).status).toBe(429);
    expect((await ask("GET", "/metrics", { from, headers: { cookie: "reverie_session=1.x" } })).status).toBe(429);
  });

  test("are no matter of signatures: wrong ones lock out nobody, and tokens keep no delivery out", async () => {
    const from = "203.0.113.1";
    const { secret } = fixture.reverie.hooks.create({
      name: "nightly",
      scheme: "github",
      run: { dataset: "sample" },
      map: {},
    });
    const deliver = (key: string) => {
      const signature = `sha256=${createHmac("sha256", key).update("{}").digest("hex")}`;
      const headers = { "x-hub-signature-256": signature, "x-github-delivery": "1", "x-github-event": "push" };
      return ask("POST", "/hooks/nightly", { from, headers, body: "{}" });
    };
    for (let i = 0; i < 30; i++) expect((await deliver("wrong")).status).toBe(401);
    expect((await deliver(secret)).status).toBe(202);
    expect((await bearer(TOKEN, from)).status).toBe(200);
    await fail(11, from);
    expect((await deliver(secret)).status).toBe(202);
  });

  test("are not made by who shows nothing, or a session that has just ended", async () => {
    const from = "203.0.113.1";
    const cookie = await sessionOf();
    setSystemTime(Date.now() + 31 * 86_400_000);
    for (let i = 0; i < 12; i++) {
      expect((await ask("GET", "/api/runs", { from })).status).toBe(401);
      expect((await ask("GET", "/api/runs", { from, headers: { cookie } })).status).toBe(401);
    }
    expect((await bearer(TOKEN, from)).status).toBe(200);
  });

  test("over no socket are not counted", async () => {
    expect(await fail(12, undefined)).toEqual(Array<number>(12).fill(401));
  });

  test("are the proxy's client's only where a proxy is said to be there", async () => {
    const guess = (forwarded: string) => bearer("guess", "127.0.0.1", { "x-forwarded-for": forwarded });
    for (let i = 0; i < 10; i++) await guess(`203.0.113.${i}`);
    expect((await guess("203.0.113.99")).status).toBe(429);

    fixture.app = checked(createApp(fixture.reverie, { trustProxy: true, corsOrigins: [] }));
    // What the client itself wrote stands first.
    for (let i = 0; i < 10; i++) expect((await guess(`10.0.0.${i}, 203.0.113.1`)).status).toBe(401);
    expect((await guess("203.0.113.1")).status).toBe(429);
    expect((await guess("203.0.113.2")).status).toBe(401);
  });
});

test("an address stands for the network that one client may have", () => {
  expect(networkOf("203.0.113.1")).toBe("203.0.113.1");
  expect(networkOf("::ffff:203.0.113.1")).toBe("203.0.113.1");
  expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
  expect(networkOf("2001:db8:1:2::9")).toBe("2001:db8:1:2");
  expect(networkOf("2001:db8::9")).toBe("2001:db8:0:0");
  expect(networkOf("fe80::1%eth0")).toBe("fe80:0:0:0");
  expect(networkOf("::1")).toBe("0:0:0:0");
});

describe("pages of other origins", () => {
  const PAGE = "https://lab.example";
  const preflight = { origin: PAGE, "access-control-request-method": "POST" };
  const allowed = (response: Response) => response.headers.get("access-control-allow-origin");

  test("are answered nothing by default", async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, origin: PAGE };
    expect(allowed(await ask("GET", "/api/runs", { headers }))).toBeNull();
    const asked = await ask("OPTIONS", "/api/runs", { headers: preflight });
    expect([asked.status, allowed(asked)]).toEqual([401, null]);
  });

  test("are let in by name, without cookies", async () => {
    fixture.app = checked(createApp(fixture.reverie, { trustProxy: false, corsOrigins: [PAGE] }));
    const asked = await ask("OPTIONS", "/api/runs", { headers: preflight });
    expect([asked.status, allowed(asked)]).toEqual([204, PAGE]);
    expect(asked.headers.get("access-control-allow-headers")).toContain("authorization");
    const answer = await ask("GET", "/api/runs", { headers: { authorization: `Bearer ${TOKEN}`, origin: PAGE } });
    expect([answer.status, allowed(answer)]).toEqual([200, PAGE]);
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    const refused = await ask("GET", "/api/runs", { headers: { origin: PAGE } });
    expect([refused.status, allowed(refused)]).toEqual([401, PAGE]);
    expect(allowed(await ask("GET", "/api/runs", { headers: { origin: "https://evil.example" } }))).toBeNull();
    expect(allowed(await ask("GET", "/metrics", { headers: { origin: PAGE } }))).toBeNull();
  });

  test("are let in on loopback too, where there is no token", async () => {
    const open = await Fixture.open();
    const from = (app: typeof open.app, origin: string) => app.request("/api/runs", { headers: { origin } });
    expect((await from(open.app, PAGE)).status).toBe(403);
    const app = createApp(open.reverie, { trustProxy: false, corsOrigins: [PAGE] });
    expect((await from(app, PAGE)).status).toBe(200);
    expect((await from(app, "https://evil.example")).status).toBe(403);
    const rebound = await app.request("http://lab.example/api/runs", { headers: { origin: PAGE } });
    expect(rebound.status).toBe(403);
    await open.close();
  });
});
