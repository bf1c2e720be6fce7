import { afterEach, beforeEach, expect, setSystemTime, spyOn, test } from "bun:test";
import { type EventType } from "#src/db/schema.ts";
import { RETRY_DELAYS_MS } from "#src/runs/webhook_retries.ts";
import type { Delivery } from "#src/runs/webhook_store.ts";
import { Receiver, statusAnswer, verify } from "../../support/receiver.ts";
import { waitFor } from "../../support/wait_for.ts";
import { Fixture } from "./fixture.ts";
import { SkippingClock } from "./webhook_clock.ts";

let fixture: Fixture;
let clock: SkippingClock;
let runId: string;
beforeEach(async () => {
  fixture = await Fixture.open({ allowPrivateUrls: true, newClock: () => clock = new SkippingClock() });
  runId = await fixture.run();
});
afterEach(async () => {
  setSystemTime();
  await fixture.close();
});

const append = (n = 0, type: EventType = "run.sampled") => fixture.reverie.events.append(runId, type, { n });

function addEndpoint(url: string, events: EventType[] = ["run.sampled"]): { id: string; secret: string } {
  const { endpoint, secret } = fixture.reverie.webhooks.create(url, events);
  return { id: endpoint.id, secret };
}

const deliveries = (id: string) => fixture.reverie.webhooks.deliveries(id, { after: null, limit: 1000 });

/** Waits until `attempts` attempts at an endpoint's newest delivery are written down. */
function attempted(id: string, attempts: number): Promise<Delivery> {
  return waitFor(`${attempts} attempts`, () => {
    const [newest] = deliveries(id);
    return newest.attempts >= attempts && newest;
  }, { everyMs: 2 });
}

test("an event is posted once, signed, with its run and sequence", async () => {
  await using receiver = await Receiver.listen();
  const { id, secret } = addEndpoint(receiver.url);
  append(1, "run.evaluated"); // not asked for
  append(7);
  const [message] = await receiver.messages(1);
  const event = fixture.events(runId).at(-1)!;
  expect(message.body).toEqual({
    type: "run.sampled",
    timestamp: event.timestamp,
    data: { n: 7, run_id: runId, sequence: event.sequence },
  });
  verify(secret, message);
  expect(() => verify(secret, { ...message, text: message.text + " " })).toThrow("No matching signature");
  expect(message.headers["content-type"]).toBe("application/json");
  expect(message.path).toBe("/events?from=reverie");
  const delivery = await attempted(id, 1);
  expect(delivery).toMatchObject({
    id: message.headers["webhook-id"],
    status: "succeeded",
    response_status: 204,
    error: null,
    next_attempt_at: null,
  });
  expect(delivery.id).toMatch(/^msg_/);
  expect(deliveries(id)).toHaveLength(1);
  expect(clock.timers).toBe(0);
});

test("three days of retries, each with the same id and bytes and a time of its own, and then it fails", async () => {
  await using receiver = await Receiver.listen(statusAnswer(500));
  const { id, secret } = addEndpoint(receiver.url);
  append();
  let waitedMs = 0;
  for (let retry = 0; retry < RETRY_DELAYS_MS.length; retry++) {
    const delivery = await attempted(id, retry + 1);
    expect(delivery).toMatchObject({ status: "pending", response_status: 500, error: "the endpoint answered 500" });
    const delayMs = Date.parse(delivery.next_attempt_at!) - Date.parse(delivery.last_attempt_at!);
    expect(Math.abs(delayMs / RETRY_DELAYS_MS[retry] - 1)).toBeLessThan(0.201);
    waitedMs += clock.skip();
    const messages = await receiver.messages(retry + 2);
    setSystemTime(clock.now());
    verify(secret, messages[retry + 1]);
    setSystemTime();
  }
  expect(waitedMs / 3_600_000).toBeGreaterThan(57);
  expect(waitedMs / 3_600_000).toBeLessThan(87);
  const delivery = await attempted(id, RETRY_DELAYS_MS.length + 1);
  expect(delivery).toMatchObject({ status: "failed", next_attempt_at: null });
  expect(clock.timers).toBe(0);
  expect(new Set(receiver.received.map(({ headers, text }) => `${headers["webhook-id"]} ${text}`)).size).toBe(1);
  const times = receiver.received.map(({ headers }) => Number(headers["webhook-timestamp"]));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(new Set(times).size).toBe(times.length);
});

test("a restart goes on with the retries where they were", async () => {
  await using receiver = await Receiver.listen(statusAnswer(503));
  const { id, secret } = addEndpoint(receiver.url);
  append();
  const before = await attempted(id, 1);
  await fixture.boot();
  expect(deliveries(id)).toEqual([before]);
  receiver.answer = statusAnswer(200);
  expect(clock.skip()).toBeGreaterThan(3000);
  const messages = await receiver.messages(2);
  verify(secret, messages[1]);
  expect(await attempted(id, 2)).toMatchObject({ id: before.id, status: "succeeded" });
});

test("what is under way when the server stops is sent again by the next", async () => {
  await using receiver = await Receiver.listen(() => {});
  const { id } = addEndpoint(receiver.url);
  append();
  await receiver.messages(1);
  const began = performance.now();
  await fixture.reverie.deliverer.close();
  expect(performance.now() - began).toBeLessThan(1000);
  expect(deliveries(id)[0]).toMatchObject({ status: "pending", attempts: 0 });
  append(1);
  receiver.answer = statusAnswer(200);
  await fixture.boot();
  const messages = await receiver.messages(3);
  expect(messages[1].headers["webhook-id"]).toBe(messages[0].headers["webhook-id"]);
});

test("an event that is rolled back is delivered to nobody", async () => {
  await using receiver = await Receiver.listen();
  const { id } = addEndpoint(receiver.url);
  expect(() =>
    fixture.reverie.db.transaction(() => {
      append(1);
      throw new Error("no");
    })
  ).toThrow("no");
  append(2);
  await attempted(id, 1);
  expect(receiver.received.map(({ body }) => body.data.n)).toEqual([2]);
  expect(deliveries(id)).toHaveLength(1);
});

test("410 disables the endpoint: what waits fails, and later events make nothing", async () => {
  await using receiver = await Receiver.listen((_, response, nth) => response.writeHead(nth < 3 ? 500 : 410).end());
  const { id } = addEndpoint(receiver.url);
  append(1);
  append(2);
  await waitFor("both to fail once", () => deliveries(id).every(({ attempts }) => attempts === 1), { everyMs: 2 });
  append(3);
  await waitFor("the end", () => fixture.reverie.webhooks.get(id).disabled_reason, { everyMs: 2 });
  append(4);
  expect(fixture.reverie.webhooks.get(id).disabled_reason).toContain("410 Gone");
  expect(deliveries(id).map(({ status, error }) => `${status}: ${error}`)).toEqual(
    Array(3).fill("failed: the endpoint answered 410 Gone"),
  );
  expect(deliveries(id)[0].response_status).toBe(410);
  expect(() => fixture.reverie.webhooks.redeliver(id, deliveries(id)[0].id)).toThrow("is disabled");
  expect(receiver.received).toHaveLength(3);
});

test("a redirect is a failure, and where it leads is not called", async () => {
  await using inside = await Receiver.listen();
  await using receiver = await Receiver.listen(statusAnswer(302, { location: inside.url }));
  const { id } = addEndpoint(receiver.url);
  append();
  const delivery = await attempted(id, 1);
  expect(delivery).toMatchObject({ status: "pending", response_status: 302 });
  expect(delivery.error).toContain("redirects are not followed");
  expect(inside.received).toEqual([]);
});

test("a receiver that never answers is given up after 15 s, and holds up no other endpoint", async () => {
  await using silent = await Receiver.listen(() => {});
  await using receiver = await Receiver.listen();
  const { id } = addEndpoint(silent.url);
  for (let n = 0; n < 200; n++) append(n);
  await silent.messages(4);
  const other = addEndpoint(receiver.url);
  append(200);
  await attempted(other.id, 1);
  // A few at once, the oldest; their connections may overtake each other.
  expect(silent.received.map(({ body }) => body.data.n).toSorted()).toEqual([0, 1, 2, 3]);
  expect(clock.skip()).toBeLessThanOrEqual(15_000);
  const oldest = () => deliveries(id).at(-1)!;
  await waitFor("the time-out", () => oldest().attempts === 1, { everyMs: 2 });
  expect(oldest()).toMatchObject({ status: "pending", response_status: null, error: "no answer within 15 s" });
  await silent.messages(5);
  await waitFor("its connection's end", () => silent.open === 4, { everyMs: 2 });
});

test("a refused connection is said in words that name nothing of this machine", async () => {
  const receiver = await Receiver.listen();
  const { id } = addEndpoint(receiver.url);
  await receiver[Symbol.asyncDispose]();
  append();
  expect(await attempted(id, 1)).toMatchObject({ response_status: null, error: "the connection was refused" });
});

test("Retry-After is waited for", async () => {
  await using receiver = await Receiver.listen(statusAnswer(429, { "retry-after": "3600" }));
  const { id } = addEndpoint(receiver.url);
  append();
  const { next_attempt_at, last_attempt_at } = await attempted(id, 1);
  expect(Date.parse(next_attempt_at!) - Date.parse(last_attempt_at!)).toBe(3_600_000);
});

test("what was done with is sent again when asked for, under its id", async () => {
  await using receiver = await Receiver.listen();
  const { id, secret } = addEndpoint(receiver.url);
  append(5);
  const { id: deliveryId } = await attempted(id, 1);
  await waitFor("success", () => deliveries(id)[0].status === "succeeded", { everyMs: 2 });
  fixture.reverie.webhooks.redeliver(id, deliveryId);
  fixture.reverie.deliverer.wake();
  const [first, second] = await receiver.messages(2);
  expect(second.text).toBe(first.text);
  expect(second.headers["webhook-id"]).toBe(deliveryId);
  verify(secret, second);
});

test("a result that the database refuses is written later, and the message not sent again meanwhile", async () => {
  await using receiver = await Receiver.listen();
  const { id } = addEndpoint(receiver.url);
  const record = spyOn(fixture.reverie.webhooks, "record");
  record.mockImplementationOnce(() => {
    throw new Error("database or disk is full");
  });
  append();
  await receiver.messages(1);
  await waitFor("the refusal", () => record.mock.calls.length === 1, { everyMs: 2 });
  fixture.reverie.deliverer.wake();
  expect(deliveries(id)[0].status).toBe("pending");
  await waitFor("the pause", () => clock.timers === 1, { everyMs: 2 });
  expect(clock.skip()).toBeGreaterThan(5000);
  await waitFor("success", () => deliveries(id)[0].status === "succeeded", { everyMs: 2 });
  expect(receiver.received).toHaveLength(1);
});

test("a queue that the database will not show is looked at again later", async () => {
  await using receiver = await Receiver.listen();
  const { id } = addEndpoint(receiver.url);
  spyOn(fixture.reverie.webhooks, "nextDue").mockImplementationOnce(() => {
    throw new Error("disk I/O error");
  });
  append();
  await waitFor("the pause", () => clock.timers === 1, { everyMs: 2 });
  clock.skip();
  expect((await attempted(id, 1)).status).toBe("succeeded");
});

test("an endpoint that is disabled or deleted while it is called is left as that", async () => {
  const held: (() => void)[] = [];
  await using receiver = await Receiver.listen((_, response) => void held.push(() => response.writeHead(500).end()));
  const { id } = addEndpoint(receiver.url);
  append();
  await receiver.messages(1);
  fixture.reverie.webhooks.update(id, { enabled: false });
  const gone = addEndpoint(receiver.url);
  append();
  await receiver.messages(2);
  fixture.reverie.webhooks.remove(gone.id);
  for (const answer of held) answer();
  await waitFor("both attempts' ends", () => receiver.open === 0 && clock.timers === 0, { everyMs: 2 });
  expect(deliveries(id)).toHaveLength(1);
  expect(deliveries(id)[0]).toMatchObject({ status: "failed", error: "disabled by a client", next_attempt_at: null });
});

test("what was done with a month ago is forgotten at start, what waits is not", async () => {
  await using receiver = await Receiver.listen((_, response, nth) => response.writeHead(nth === 1 ? 200 : 500).end());
  const { id } = addEndpoint(receiver.url);
  append(1);
  await attempted(id, 1);
  append(2);
  await attempted(id, 1);
  const monthAgo = new Date(Date.now() - 31 * 86_400_000).toISOString();
  fixture.reverie.db.$client.prepare("update webhook_deliveries set created_at = ?").run(monthAgo);
  await fixture.boot();
  expect(deliveries(id).map(({ status }) => status)).toEqual(["pending"]);
});

test("a busy endpoint keeps the newest ten thousand of what was done with", () => {
  const { id } = addEndpoint("http://127.0.0.1:9/");
  const insert = fixture.reverie.db.$client.prepare(
    "insert into webhook_deliveries (id, webhook_id, type, body, status, created_at) values (?, ?, 'ping', '{}', ?, ?)",
  );
  fixture.reverie.db.transaction(() => {
    for (let n = 0; n < 10_010; n++) {
      insert.run(`msg_${String(n).padStart(6, "0")}`, id, n === 3 ? "pending" : "succeeded", new Date().toISOString());
    }
  });
  fixture.reverie.webhooks.prune();
  const ids = deliveries(id).length;
  expect(ids).toBe(1000);
  const [{ rows, oldest }] = fixture.reverie.db.$client
    .prepare("select count(*) as rows, min(id) as oldest from webhook_deliveries").all() as {
      rows: number;
      oldest: string;
    }[];
  expect({ rows, oldest }).toEqual({ rows: 10_001, oldest: "msg_000003" });
});

test("the secret is in the database in no plain form", async () => {
  await using receiver = await Receiver.listen();
  const { id, secret } = addEndpoint(receiver.url);
  append();
  await attempted(id, 1);
  const tables = ["webhooks", "webhook_deliveries", "idempotency_keys", "events"];
  const all = JSON.stringify(tables.map((name) => fixture.reverie.db.$client.prepare(`select * from ${name}`).all()));
  expect(all).toContain(id);
  expect(all).not.toContain(secret);
  expect(all).not.toContain(secret.slice("whsec_".length));
  expect(all).not.toContain(Buffer.from(secret.slice("whsec_".length), "base64").toString("hex"));
});
