import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { ProblemError } from "#src/errors.ts";
import { Fixture } from "../runs/fixture.ts";
import { call } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const runs = () => fixture.reverie.runs.list({}, { after: null, limit: 10 });

async function addHook(scheme: string, body = {}): Promise<string> {
  const answer = await call(fixture, "POST", "/api/hooks", {
    name: "nightly",
    scheme,
    run: { max_steps: 10 },
    map: { dataset: "$.dataset", "optimizer.learning_rate": "$.grid[0].lr" },
    ...body,
  });
  expect(answer.status).toBe(201);
  expect(answer.body.url).toBe("/hooks/nightly");
  return answer.body.secret;
}

const PAYLOAD = JSON.stringify({ dataset: "sample", grid: [{ lr: 0.01 }] });

interface Delivery {
  id?: string;
  at?: Date;
  event?: string;
  body?: string;
  /** What the signature is over, where that is not the body. */
  signed?: string;
}

function standard(secret: string, { id = "msg_1", at = new Date(), body = PAYLOAD, signed = body }: Delivery = {}) {
  return call(fixture, "POST", "/hooks/nightly", body, {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, signed),
  });
}

function github(secret: string, { id = "d-1", event = "push", body = PAYLOAD, signed = body }: Delivery = {}) {
  return call(fixture, "POST", "/hooks/nightly", body, {
    "content-type": "application/json",
    "x-github-event": event,
    "x-github-delivery": id,
    "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(signed).digest("hex")}`,
  });
}

test("a hook shows its secret once", async () => {
  const secret = await addHook("standard");
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const { text, body } = await call(fixture, "GET", "/api/hooks");
  expect(body.data).toHaveLength(1);
  expect(text).not.toContain("secret");
  expect(JSON.stringify(fixture.reverie.db.$client.prepare("select * from hooks").all())).not.toContain(secret);
  const { id } = body.data[0];
  expect((await call(fixture, "POST", "/api/hooks", { name: "nightly", run: {} })).status).toBe(409);
  expect((await call(fixture, "DELETE", `/api/hooks/${id}`)).status).toBe(204);
  expect((await standard(secret)).status).toBe(404);
});

test.each([
  ["an unknown field", { run: { layers: 4 } }, "run"],
  ["a field out of range", { run: { seed: -1 } }, "run.seed"],
  ["a path that is none", { map: { dataset: "dataset" } }, "map.dataset"],
  ["a target that is none", { map: { "__proto__.x": "$.a" } }, "map.__proto__.x"],
])("a hook with %s is refused", async (_, body, path) => {
  const answer = await call(fixture, "POST", "/api/hooks", { name: "h", run: {}, ...JSON.parse(JSON.stringify(body)) });
  expect(answer.status).toBe(400);
  expect(answer.body.errors[0].path).toBe(path);
});

describe.each([["standard", standard], ["github", github]] as const)("signed as %s", (scheme, deliver) => {
  test("a delivery starts a run with what it maps", async () => {
    const secret = await addHook(scheme);
    const { status, body } = await deliver(secret);
    expect(status).toBe(202);
    expect(runs()).toHaveLength(1);
    expect(runs()[0]).toMatchObject({ id: body.run_id, config: { optimizer: { learning_rate: 0.01 }, max_steps: 10 } });
  });

  test("its repeats are the same run, also after a restart", async () => {
    const secret = await addHook(scheme);
    const answers = await Promise.all([deliver(secret), deliver(secret), deliver(secret)]);
    await fixture.boot();
    answers.push(await deliver(secret));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(runs()).toHaveLength(1);
  });

  test("a wrong secret or a changed body is turned away", async () => {
    const secret = await addHook(scheme);
    expect((await deliver(`whsec_${btoa("another secret")}`)).status).toBe(401);
    expect((await deliver(secret, { signed: PAYLOAD + " " })).status).toBe(401);
    expect((await call(fixture, "POST", "/hooks/nightly", PAYLOAD)).status).toBe(401);
    expect(runs()).toEqual([]);
  });

  test("what is signed and no JSON is malformed", async () => {
    const secret = await addHook(scheme);
    expect((await deliver(secret, { body: "{" })).status).toBe(400);
  });

  test("an id of any length is not kept", async () => {
    const secret = await addHook(scheme);
    const { status, body } = await deliver(secret, { id: "d".repeat(256) });
    expect({ status, detail: body.detail }).toEqual({ status: 400, detail: expect.stringContaining("at most 255") });
    expect((await deliver(secret, { id: "d".repeat(255) })).status).toBe(202);
  });

  test("a delivery that came while the queue was full may come again", async () => {
    const secret = await addHook(scheme);
    const create = spyOn(fixture.reverie.runner, "create").mockImplementationOnce(() => {
      throw new ProblemError(429, "Too many requests", "the queue is full");
    });
    expect((await deliver(secret)).status).toBe(429);
    expect((await deliver(secret)).status).toBe(202);
    expect((await deliver(secret)).status).toBe(202);
    expect(create).toHaveBeenCalledTimes(2);
    expect(runs()).toHaveLength(1);
  });

  test("a run that is refused may be delivered again", async () => {
    const secret = await addHook(scheme);
    const refused = await deliver(secret, { body: '{"dataset":"later"}' });
    expect(refused.status).toBe(422);
    expect(refused.body.errors[0].path).toBe("dataset");
    expect((await deliver(secret, { body: "{}" })).body.errors[0].path).toBe("dataset");
    expect((await deliver(secret)).status).toBe(202);
  });
});

test("a delivery outside five minutes is a replay", async () => {
  const secret = await addHook("standard");
  for (const minutes of [-6, 6]) {
    expect((await standard(secret, { at: new Date(Date.now() + minutes * 60_000) })).status).toBe(401);
  }
});

test("GitHub's ping is answered and starts nothing", async () => {
  const secret = await addHook("github");
  expect((await github(secret, { event: "ping" })).status).toBe(200);
  expect((await github("wrong", { event: "ping" })).status).toBe(401);
  expect(runs()).toEqual([]);
});

describe("a key that JavaScript would swallow is refused, not dropped:", () => {
  const add = (json: string) =>
    call(fixture, "POST", "/api/hooks", json.replace("{", '{"name":"nightly",'), {
      "content-type": "application/json",
    });

  test.each([
    ['{"run":{"__proto__":{"max_steps":5}}}', "run.__proto__"],
    ['{"run":{"tags":{"__proto__":"a"}}}', "run.tags.__proto__"],
    ['{"run":{},"map":{"__proto__":"$.dataset"}}', "map.__proto__"],
    ['{"run":{},"map":{"constructor":"$.dataset"}}', "map.constructor"],
    ['{"run":{"name":"a\\u0007"}}', "run.name"],
  ])("%s", async (json, path) => {
    const { status, body } = await add(json);
    expect(status).toBe(400);
    expect(body.errors.map(({ path }) => path)).toEqual([path]);
  });

  test("in what a delivery brings", async () => {
    const secret = await addHook("standard", { run: { dataset: "sample" }, map: { tags: "$.labels" } });
    const { status, body } = await standard(secret, { body: '{"labels":{"a":"1","__proto__":"2"}}' });
    expect(status).toBe(422);
    expect(body.errors.map(({ path }) => path)).toEqual(["tags.__proto__"]);
    expect(runs()).toEqual([]);
  });
});
