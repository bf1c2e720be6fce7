import { afterEach, beforeEach, expect, test } from "bun:test";
import { Receiver, statusAnswer, verify } from "../../support/receiver.ts";
import { waitFor } from "../../support/wait_for.ts";
import { Fixture } from "../runs/fixture.ts";
import { SkippingClock } from "../runs/webhook_clock.ts";
import { call } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open({ allowPrivateUrls: true, newClock: () => new SkippingClock() });
});
afterEach(() => fixture.close());

interface Webhook {
  id: string;
  url: string;
  events: string[];
  enabled: boolean;
  disabled_reason: string | null;
  secret: string;
}

interface Delivery {
  id: string;
  webhook_id: string;
  type: string;
  status: string;
  attempts: number;
  response_status: number | null;
}

interface Page {
  data: Delivery[];
  has_more: boolean;
  next_cursor: string | null;
}

const URL = "https://ci.example.com/reverie";

async function add(url: string, events = ["run.queued"]): Promise<Webhook> {
  const answer = await call<Webhook>(fixture, "POST", "/api/webhooks", { url, events });
  expect(answer.status).toBe(201);
  return answer.body;
}

const post = (path: string, headers = {}) =>
  call<Delivery>(fixture, "POST", `/api/webhooks/${path}`, undefined, headers);
const list = (id: string, query = "") => call<Page>(fixture, "GET", `/api/webhooks/${id}/deliveries${query}`);

function done(id: string, count: number): Promise<Delivery[]> {
  return waitFor(`${count} deliveries made`, async () => {
    const { data } = (await list(id)).body;
    return data.filter(({ status }) => status !== "pending").length === count && data;
  }, { everyMs: 2 });
}

test("a webhook shows its secret once", async () => {
  const { secret, ...webhook } = await add(URL, ["run.succeeded", "run.failed", "run.failed"]);
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(webhook).toMatchObject({ url: URL, events: ["run.succeeded", "run.failed"], enabled: true });
  expect(webhook.id).toMatch(/^whe_/);
  const listed = await call<{ data: Webhook[] }>(fixture, "GET", "/api/webhooks");
  expect(listed.body.data).toEqual([webhook as Webhook]);
  expect((await call<Webhook>(fixture, "GET", `/api/webhooks/${webhook.id}`)).body).toEqual(webhook as Webhook);
  const stored = ["webhooks", "idempotency_keys"].map((name) =>
    fixture.reverie.db.$client.prepare(`select * from ${name}`).all()
  );
  expect(JSON.stringify(stored)).not.toContain(secret.slice("whsec_".length));
});

test("an Idempotency-Key adds one webhook, and gives the same secret again", async () => {
  const headers = { "idempotency-key": "one" };
  const add = () => call<Webhook>(fixture, "POST", "/api/webhooks", { url: URL, events: ["run.failed"] }, headers);
  const [first, second] = [await add(), await add()];
  expect(second).toMatchObject({ status: 201, body: first.body });
  expect((await call<Page>(fixture, "GET", "/api/webhooks")).body.data).toHaveLength(1);
});

test.each([
  ["an unknown event", { events: ["run.exploded"] }, "events.0"],
  ["no event", { events: [] }, "events"],
  ["what is no URL", { url: "ci.example.com" }, "url"],
  ["an unknown field", { secret: "mine" }, ""],
])("%s is malformed", async (_, body, path) => {
  const answer = await call(fixture, "POST", "/api/webhooks", { url: URL, events: ["run.failed"], ...body });
  expect(answer.status).toBe(400);
  expect(answer.body.errors[0].path).toBe(path);
});

test("a URL that may not be called is impossible, when added and when changed", async () => {
  await using guarded = await guardedFixture();
  const ask = (method: string, path: string, url: string) =>
    call(guarded.fixture, method, path, method === "POST" ? { url, events: ["run.failed"] } : { url });
  const { body: { id } } = await ask("POST", "/api/webhooks", URL);
  for (
    const url of [
      "http://127.0.0.1:8000/",
      "http://[::1]/",
      "https://localhost/",
      "ftp://a.example/",
      "https://a:b@c.de/",
    ]
  ) {
    for (const answer of [await ask("POST", "/api/webhooks", url), await ask("PATCH", `/api/webhooks/${id}`, url)]) {
      expect(answer.status).toBe(422);
      expect(answer.body.errors[0].path).toBe("url");
    }
  }
  expect((await call<Page>(guarded.fixture, "GET", "/api/webhooks")).body.data).toHaveLength(1);
  expect((await call(guarded.fixture, "GET", `/api/webhooks/${id}`)).body.url).toBe(URL);
});

/** As by default: private addresses are not called. */
async function guardedFixture() {
  const fixture = await Fixture.open({ newClock: () => new SkippingClock() });
  return { fixture, [Symbol.asyncDispose]: () => fixture.close() };
}

test("there is an end to the number of webhooks", async () => {
  for (let n = 0; n < 100; n++) fixture.reverie.webhooks.create(URL, ["run.failed"]);
  const answer = await call(fixture, "POST", "/api/webhooks", { url: URL, events: ["run.failed"] });
  expect(answer.status).toBe(409);
  expect(answer.body.detail).toContain("100 endpoints");
});

test("a run's event arrives, and its delivery is listed", async () => {
  await using receiver = await Receiver.listen();
  const { id, secret } = await add(receiver.url);
  const runId = await fixture.run();
  const [message] = await receiver.messages(1);
  verify(secret, message);
  expect(message.body).toMatchObject({ type: "run.queued", data: { run_id: runId, sequence: 1, max_steps: 100 } });
  const [delivery] = await done(id, 1);
  expect(delivery).toMatchObject({ webhook_id: id, type: "run.queued", status: "succeeded", attempts: 1 });
  expect(delivery.id).toBe(message.headers["webhook-id"]);
  expect(delivery).not.toHaveProperty("body");
});

test("deliveries come in pages, newest first", async () => {
  await using receiver = await Receiver.listen();
  const { id } = await add(receiver.url);
  for (let n = 0; n < 5; n++) await fixture.run();
  const all = (await done(id, 5)).map((delivery) => delivery.id);
  expect(all).toEqual(all.toSorted().reverse());
  const first = (await list(id, "?limit=3")).body;
  expect(first.data.map((delivery) => delivery.id)).toEqual(all.slice(0, 3));
  const second = (await list(id, `?limit=3&after=${first.next_cursor}`)).body;
  expect(second.data.map((delivery) => delivery.id)).toEqual(all.slice(3));
  expect(second.next_cursor).toBeNull();
});

test("a ping is a message like any other", async () => {
  await using receiver = await Receiver.listen();
  const { id, secret } = await add(receiver.url);
  const headers = { "idempotency-key": "ping" };
  const answer = await post(`${id}/ping`, headers);
  expect(answer).toMatchObject({ status: 202, body: { webhook_id: id, type: "ping", status: "pending", attempts: 0 } });
  const [message] = await receiver.messages(1);
  verify(secret, message);
  expect(message.body).toMatchObject({ type: "ping", data: { webhook_id: id } });
  expect(message.headers["webhook-id"]).toBe(answer.body.id);
  expect((await post(`${id}/ping`, headers)).body).toEqual(answer.body);
  expect(await done(id, 1)).toHaveLength(1);
});

test("redelivery sends the same message again at once, also one that waits", async () => {
  await using receiver = await Receiver.listen(statusAnswer(500));
  const { id } = await add(receiver.url);
  await fixture.run();
  const [delivery] = await waitFor("the failure", async () => {
    const { data } = (await list(id)).body;
    return data[0].attempts === 1 && data;
  }, { everyMs: 2 });
  receiver.answer = statusAnswer(200);
  for (const _ of ["a waiting one", "a succeeded one"]) {
    const answer = await post(`${id}/deliveries/${delivery.id}/redeliver`);
    expect(answer).toMatchObject({ status: 202, body: { id: delivery.id, status: "pending" } });
    await done(id, 1);
  }
  expect(receiver.received).toHaveLength(3);
  expect(new Set(receiver.received.map(({ headers, text }) => headers["webhook-id"] + text)).size).toBe(1);

  const other = await add(receiver.url);
  for (
    const path of [`${other.id}/deliveries/${delivery.id}`, `${id}/deliveries/msg_0`, `whe_0/deliveries/${delivery.id}`]
  ) {
    expect((await post(`${path}/redeliver`)).status).toBe(404);
  }
});

test("a disabled webhook gets nothing until it is enabled again", async () => {
  await using receiver = await Receiver.listen(statusAnswer(410));
  const { id } = await add(receiver.url);
  await fixture.run();
  const [{ id: deliveryId, status }] = await done(id, 1);
  expect(status).toBe("failed");
  const webhook = () => call<Webhook>(fixture, "GET", `/api/webhooks/${id}`);
  expect((await webhook()).body).toMatchObject({ enabled: false, disabled_reason: "the endpoint answered 410 Gone" });
  await fixture.run();
  expect((await post(`${id}/ping`)).status).toBe(409);
  expect((await post(`${id}/deliveries/${deliveryId}/redeliver`)).status).toBe(409);

  receiver.answer = statusAnswer(200);
  const enable = await call<Webhook>(fixture, "PATCH", `/api/webhooks/${id}`, {
    enabled: true,
    events: ["run.sampled"],
  });
  expect(enable.body).toMatchObject({
    enabled: true,
    disabled_reason: null,
    events: ["run.sampled"],
    url: receiver.url,
  });
  expect((await post(`${id}/deliveries/${deliveryId}/redeliver`)).status).toBe(202);
  expect((await done(id, 1))[0].status).toBe("succeeded");
  expect(receiver.received).toHaveLength(2);

  await call(fixture, "PATCH", `/api/webhooks/${id}`, { enabled: false });
  expect((await webhook()).body).toMatchObject({ enabled: false, disabled_reason: "disabled by a client" });
  expect((await call(fixture, "DELETE", `/api/webhooks/${id}`)).status).toBe(204);
  expect((await webhook()).status).toBe(404);
  expect((await list(id)).status).toBe(404);
});

test("the OpenAPI document describes them", async () => {
  const { body } = await call<{ paths: Record<string, object> }>(fixture, "GET", "/openapi.json");
  const of = (path: string) => Object.keys(body.paths[`/api/webhooks${path}`] ?? {});
  expect(of("")).toEqual(["post", "get"]);
  expect(of("/{id}")).toEqual(["get", "patch", "delete"]);
  expect(of("/{id}/deliveries")).toEqual(["get"]);
  expect(of("/{id}/deliveries/{delivery_id}/redeliver")).toEqual(["post"]);
  expect(of("/{id}/ping")).toEqual(["post"]);
});

test("a webhook may subscribe to what changes outside a run's life, and others hear nothing of it", async () => {
  await using receiver = await Receiver.listen();
  const datasets = await add(receiver.url, ["dataset.created", "run.deleted"]);
  const others = await add(receiver.url, ["run.succeeded", "run.failed"]);
  const dataset = await call(fixture, "POST", "/api/datasets?name=mine", "abc", { "content-type": "text/plain" });
  const id = await fixture.run();
  fixture.trainer.ended("cancelled", 0);
  await fixture.reverie.runner.remove(id);
  await done(datasets.id, 2);
  const dataOf = (type: string) => receiver.received.find(({ body }) => body.type === type)?.body.data;
  expect(dataOf("dataset.created")).toMatchObject({
    id: dataset.body.id,
    run_id: null,
    sequence: expect.any(Number),
  });
  expect(dataOf("run.deleted")).toMatchObject({ run_id: id });
  expect((await list(others.id)).body.data).toEqual([]);
});
