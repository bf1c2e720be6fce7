import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";
import { addHook, github, push, standard, svix } from "./signed.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const FORM = "application/x-www-form-urlencoded";
const runs = () => fixture.reverie.runs.list({}, { after: null, limit: 10 });
const bytesOf = (name: string) => readFileSync(new URL(`../../fixtures/deliveries/${name}`, import.meta.url), "utf8");

describe("a form", () => {
  test("as GitHub sends it: signed over the raw bytes, the JSON in its payload", async () => {
    const { secret } = await addHook(fixture, { map: { name: "$.head_commit.message" } });
    const form = bytesOf("github_form.txt");
    expect(form).toHaveLength(183);
    const { status, body } = await github(fixture, form, { secret, contentType: FORM });
    expect({ status, id: body.run_id }).toEqual({ status: 202, id: runs()[0].id });
    expect(runs()[0].name).toBe("café 🎉 + &");
  });

  test.each([FORM.toUpperCase(), `${FORM}; charset=utf-8`, ` ${FORM} ;charset=UTF-8`])(
    "called %s",
    async (contentType) => {
      const { secret } = await addHook(fixture, { map: { name: "$.name" } });
      const form = `a=1&payload=${encodeURIComponent('{"ref":"refs/heads/main","name":"from a form"}')}&b=2`;
      expect((await github(fixture, form, { secret, contentType })).status).toBe(202);
      expect(runs()[0].name).toBe("from a form");
    },
  );

  test("that holds JSON itself, as curl calls what it sends", async () => {
    const { secret } = await addHook(fixture, { map: { name: "$.name" } });
    expect((await github(fixture, ' {"name":"a&payload=b"}', { secret, contentType: FORM })).status).toBe(202);
    expect(runs()[0].name).toBe("a&payload=b");
  });

  test.each([
    ["none", "a=1"],
    ["none", "&&"],
    ["an empty one", "payload="],
    ["2 of them", "payload=%7B%7D&payload=%7B%7D"],
    ["the body is not JSON", "payload=%7B"],
  ])("with a payload that is no one JSON: %s", async (why, form) => {
    const { secret } = await addHook(fixture);
    const { status, body } = await github(fixture, form, { secret, contentType: FORM });
    expect({ status, detail: body.detail }).toEqual({ status: 400, detail: expect.stringContaining(why) });
  });

  test("whose ping is read like any delivery: one that could not be is no green ping", async () => {
    const { secret } = await addHook(fixture);
    const ping = { secret, event: "ping", contentType: FORM };
    expect((await github(fixture, "payload=%7B%22zen%22%3A%22x%22%7D", ping)).status).toBe(200);
    expect((await github(fixture, "load=%7B%7D", ping)).status).toBe(400);
  });
});

test.each(["application/json; charset=utf-8", "Application/JSON", "text/plain", ""])(
  "JSON called %p is JSON",
  async (contentType) => {
    const { secret } = await addHook(fixture);
    expect((await github(fixture, push("refs/heads/main"), { secret, contentType })).status).toBe(202);
  },
);

test("the README's example", async () => {
  const { secret } = await addHook(fixture, {
    branches: ["main"],
    run: { dataset: "sample" },
    map: { "tags.commit": "$.after" },
  });
  expect((await github(fixture, push("refs/heads/main"), { secret })).status).toBe(202);
  expect(runs()[0].tags).toEqual({ commit: "1".repeat(40) });
});

describe("NUL and a lone surrogate", () => {
  test("may stand in what nobody maps", async () => {
    const { secret } = await addHook(fixture, { map: { name: "$.repository.name" } });
    expect((await github(fixture, bytesOf("nul_and_surrogate.txt"), { secret })).status).toBe(202);
    expect(runs()[0].name).toBe("demo");
  });

  test.each([["name", "$.head_commit.message"], ["tags", "$.head_commit"]])(
    "mapped to %s are refused by the mapping's name",
    async (target, path) => {
      const { secret } = await addHook(fixture, { map: { [target]: path } });
      const { status, body } = await github(fixture, bytesOf("nul_and_surrogate.txt"), { secret });
      expect(status).toBe(422);
      expect(body.errors).toEqual([{
        path: target,
        message: expect.stringContaining(`${path} of the delivery holds`),
      }]);
    },
  );
});

describe("signatures", () => {
  test("Svix's names of the headers", async () => {
    const { secret } = await addHook(fixture, { scheme: "standard" });
    const first = await svix(fixture, "{}", { secret });
    expect(first.status).toBe(202);
    expect((await standard(fixture, "{}", { secret })).body.run_id).toBe(first.body.run_id);
    const other = await addHook(fixture, { name: "other", scheme: "standard" });
    expect((await svix(fixture, "{}", { secret: other.secret })).status).toBe(401);
  });

  test("a Standard Webhooks header with several, ours anywhere among them", async () => {
    const { secret } = await addHook(fixture, { scheme: "standard" });
    const digest = (id: string, at: number) =>
      createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64")).update(`${id}.${at}.{}`).digest(
        "base64",
      );
    const at = Math.floor(Date.now() / 1000);
    const others = [`v1,${btoa("x".repeat(32))}`, "v1a,abc", "v1,", "", "v2,"];
    const give = (id: string, signature: string) =>
      standard(fixture, "{}", {
        secret,
        id,
        headers: { "webhook-timestamp": String(at), "webhook-signature": signature },
      });
    const right = (id: string) => `v1,${digest(id, at)}`;
    expect((await give("1", [...others, right("1")].join(" "))).status).toBe(202);
    expect((await give("2", [right("2"), ...others].join(" "))).status).toBe(202);
    expect((await give("3", `${others[0]}, ${right("3")}`)).status).toBe(202); // the header twice
    for (const wrong of [others.join(" "), right("4").replace("v1,", "v1a,"), `x${right("4")}`, right("5")]) {
      expect((await give("4", wrong)).status).toBe(401);
    }
  });

  test("a GitHub header with several, in hex of either case", async () => {
    const { secret } = await addHook(fixture);
    const digest = createHmac("sha256", secret).update("{}").digest("hex");
    const give = (id: string, signature: string) =>
      github(fixture, "{}", { secret, id, headers: { "x-hub-signature-256": signature } });
    expect((await give("1", `sha256=${"0".repeat(64)}, sha256=${digest}`)).status).toBe(202);
    expect((await give("2", `sha256=${digest.toUpperCase()}`)).status).toBe(202);
    for (const wrong of [digest, `sha1=${digest}`, `sha256=${digest}00`, `sha256=${digest.slice(2)}`, "sha256="]) {
      expect((await give("3", wrong)).status).toBe(401);
    }
  });

  test("hash the bytes themselves: what decodes to the same text is another body", async () => {
    const { secret } = await addHook(fixture, { scheme: "standard" });
    const broken = new Uint8Array([...new TextEncoder().encode('{"a":"'), 0xff, ...new TextEncoder().encode('"}')]);
    const at = Math.floor(Date.now() / 1000);
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const deliver = (signed: Uint8Array) =>
      call(fixture, "POST", "/hooks/nightly", broken, {
        "webhook-id": "1",
        "webhook-timestamp": String(at),
        "webhook-signature": `v1,${createHmac("sha256", key).update(`1.${at}.`).update(signed).digest("base64")}`,
      });
    expect((await deliver(new TextEncoder().encode('{"a":"\ufffd"}'))).status).toBe(401);
    expect((await deliver(broken)).body.detail).toBe("the body is not UTF-8");
  });

  test.each(["soon", "-1", "1e9", ""])("a timestamp of %p", async (timestamp) => {
    const { secret } = await addHook(fixture, { scheme: "standard" });
    expect((await standard(fixture, "{}", { secret, headers: { "webhook-timestamp": timestamp } })).status).toBe(401);
  });
});

describe("a hook made again under its name", () => {
  test.each(["github", "standard"] as const)("takes no delivery of the %s one before a second time", async (scheme) => {
    const deliver = scheme === "github" ? github : standard;
    const before = await addHook(fixture, { scheme });
    const first = await deliver(fixture, "{}", { secret: before.secret, id: "1" });
    expect((await call(fixture, "DELETE", `/api/hooks/${before.id}`)).status).toBe(204);
    await fixture.boot();
    const { secret } = await addHook(fixture, { scheme });
    const again = await deliver(fixture, "{}", { secret, id: "1" });
    expect([again.status, again.body.run_id]).toEqual([202, first.body.run_id]);
    expect(runs()).toHaveLength(1);
    expect((await deliver(fixture, "{}", { secret, id: "2" })).body.run_id).not.toBe(first.body.run_id);
  });

  test("with another scheme, or under another name, knows other senders' ids", async () => {
    const before = await addHook(fixture);
    await github(fixture, "{}", { secret: before.secret, id: "1" });
    const other = await addHook(fixture, { name: "other" });
    await github(fixture, "{}", { secret: other.secret, id: "1", name: "other" });
    await call(fixture, "DELETE", `/api/hooks/${before.id}`);
    const { secret } = await addHook(fixture, { scheme: "standard" });
    await standard(fixture, "{}", { secret, id: "1" });
    expect(runs()).toHaveLength(3);
  });

  test("90 days later has forgotten, and one that lives has not", async () => {
    const [gone, lives] = [await addHook(fixture), await addHook(fixture, { name: "lives" })];
    await github(fixture, "{}", { secret: gone.secret, id: "1" });
    const first = await github(fixture, "{}", { secret: lives.secret, id: "1", name: "lives" });
    await call(fixture, "DELETE", `/api/hooks/${gone.id}`);
    const oldest = new Date(Date.now() - 91 * 86_400_000).toISOString();
    fixture.reverie.db.$client.prepare("update hook_runs set created_at = ?").run(oldest);
    await fixture.boot();
    const { secret } = await addHook(fixture);
    await github(fixture, "{}", { secret, id: "1" });
    expect(runs()).toHaveLength(3);
    expect((await github(fixture, "{}", { secret: lives.secret, id: "1", name: "lives" })).body).toEqual(first.body);
  });
});

describe("a ping", () => {
  const ping = (secret: string, id = "p") => github(fixture, '{"zen":"x","hook_id":1}', { secret, id, event: "ping" });

  test("is no start, and remembers no id", async () => {
    const { secret } = await addHook(fixture);
    expect(await ping(secret)).toMatchObject({ status: 200, body: { ok: true } });
    expect(runs()).toEqual([]);
    expect((await github(fixture, "{}", { secret, id: "p" })).status).toBe(202);
  });

  test.each([
    ["of no dataset", {}, {}, "dataset"],
    ["of a dataset that is not there", { dataset: "gone" }, {}, "dataset"],
    ["that the device has no memory for", { dataset: "sample", model: { preset: "gpt2", n_layer: 1000 } }, {}, "model"],
    [
      "that contradicts itself, whatever text comes",
      { model: { n_head: 7, n_embd: 128 } },
      { dataset: "$.d" },
      "model",
    ],
    ["of no dataset, but a mapped name", {}, { name: "$.name" }, "dataset"],
  ])("tells of a run %s", async (_, run, map, path) => {
    const { secret } = await addHook(fixture, { run, map });
    const { status, body } = await ping(secret);
    expect(status).toBe(422);
    expect(body.errors[0].path).toStartWith(path);
    expect(runs()).toEqual([]);
  });

  test("holds against nobody what deliveries fill in, nor a queue that is full today", async () => {
    for (
      const [i, [run, map]] of [
        [{}, { dataset: "$.d" }],
        [{ dataset: "gone" }, { dataset: "$.d" }],
        [{ dataset: "sample", model: { n_head: 7, n_embd: 128 } }, {
          "model.n_head": "$.heads",
          "model.n_embd": "$.width",
        }],
      ].entries()
    ) {
      const { secret } = await addHook(fixture, { name: `h${i}`, run, map });
      expect((await github(fixture, "{}", { secret, event: "ping", name: `h${i}` })).status).toBe(200);
    }
    await fixture.close();
    fixture = await Fixture.open({ settings: { maxQueued: 0 } });
    const { secret } = await addHook(fixture);
    expect((await github(fixture, "{}", { secret, id: "1" })).status).toBe(429);
    expect((await ping(secret)).status).toBe(200);
  });

  test("without a GPU says so", async () => {
    await fixture.close();
    fixture = await Fixture.open({ firstReport: { type: "no_device", message: "no adapter" } });
    const { secret } = await addHook(fixture, { run: {}, map: { dataset: "$.d" } });
    expect((await ping(secret)).status).toBe(503);
  });

  test("of another Reverie starts nothing", async () => {
    const { secret } = await addHook(fixture, { scheme: "standard" });
    const body = JSON.stringify({ type: "ping", timestamp: new Date().toISOString(), data: { webhook_id: "whe_1" } });
    expect(await standard(fixture, body, { secret })).toMatchObject({ status: 200, body: { ok: true } });
    expect(runs()).toEqual([]);
  });
});
