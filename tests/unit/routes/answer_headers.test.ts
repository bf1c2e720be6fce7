import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { Webhook } from "standardwebhooks";
import { Fixture } from "../runs/fixture.ts";
import { call, upload } from "./http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const HOOK = { name: "nightly", run: { dataset: "sample" } };
const WEBHOOK = { url: "https://example.com/", events: ["run.succeeded"] };

/** Follows a Location: it must lead somewhere. */
async function found(location: string | null): Promise<number> {
  return (await call(fixture, "GET", location ?? "/api/none")).status;
}

describe("201 and 202 say where", () => {
  test.each<[string, unknown]>([["/api/runs", { dataset: "sample" }], ["/api/hooks", HOOK], [
    "/api/webhooks",
    WEBHOOK,
  ]])(
    "%s",
    async (path, body) => {
      const answer = await call(fixture, "POST", path, body);
      expect(answer.headers.get("location")).toBe(`${path}/${answer.body.id}`);
      expect(await found(answer.headers.get("location"))).toBe(200);
    },
  );

  test("a dataset, when it is stored", async () => {
    const first = await upload(fixture, "a", "some text");
    expect([first.status, first.headers.get("location")]).toEqual([201, `/api/datasets/${first.body.id}`]);
    expect(await found(first.headers.get("location"))).toBe(200);
    const again = await upload(fixture, "a", "some text");
    expect([again.status, again.headers.get("location")]).toEqual([200, null]);
  });

  test("what is asked of a run, and a checkpoint", async () => {
    const running = await fixture.run();
    const { body: { id } } = await call(fixture, "POST", "/api/runs", { dataset: "sample" }); // waits behind that one
    for (const action of ["pause", "resume", "cancel"]) {
      const answer = await call(fixture, "POST", `/api/runs/${id}/${action}`);
      expect([answer.status, answer.headers.get("location")]).toEqual([202, `/api/runs/${id}`]);
    }
    const answer = await call(fixture, "POST", `/api/runs/${running}/checkpoints`);
    expect([answer.status, answer.headers.get("location")]).toEqual([202, `/api/runs/${running}/checkpoints`]);
    expect(await found(answer.headers.get("location"))).toBe(200);
  });

  test("a delivery", async () => {
    const { body: { secret } } = await call(fixture, "POST", "/api/hooks", HOOK);
    const at = new Date();
    const answer = await call(fixture, "POST", "/hooks/nightly", "{}", {
      "webhook-id": "1",
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign("1", at, "{}"),
    });
    expect([answer.status, answer.headers.get("location")]).toEqual([202, `/api/runs/${answer.body.run_id}`]);
  });

  test("a ping and a delivery that is sent again", async () => {
    const { body: { id } } = await call(fixture, "POST", "/api/webhooks", WEBHOOK);
    const deliveries = `/api/webhooks/${id}/deliveries`;
    const ping = await call(fixture, "POST", `/api/webhooks/${id}/ping`);
    const again = await call(fixture, "POST", `${deliveries}/${ping.body.id}/redeliver`);
    for (const answer of [ping, again]) {
      expect([answer.status, answer.headers.get("location")]).toEqual([202, deliveries]);
    }
    expect(await found(deliveries)).toBe(200);
  });
});

test("an answer that an Idempotency-Key brings back is marked, and says where again", async () => {
  const key = { "idempotency-key": "k" };
  const creations: [string, unknown][] = [["/api/runs", { dataset: "sample" }], ["/api/hooks", HOOK], [
    "/api/webhooks",
    WEBHOOK,
  ]];
  for (const [path, body] of creations) {
    const first = await call(fixture, "POST", path, body, key);
    const second = await call(fixture, "POST", path, body, key);
    expect(second.body).toEqual(first.body);
    expect([first.headers.get("idempotent-replayed"), second.headers.get("idempotent-replayed")]).toEqual([
      null,
      "true",
    ]);
    expect(second.headers.get("location")).toBe(first.headers.get("location"));
  }
  const first = await upload(fixture, "a", "some text", key);
  const second = await upload(fixture, "a", "some text", key);
  expect([first.status, second.status]).toEqual([201, 201]);
  expect([first.headers.get("idempotent-replayed"), second.headers.get("idempotent-replayed")]).toEqual([null, "true"]);
});

test("a body that is encoded is refused wherever it comes, and the answer says what is taken", async () => {
  await call(fixture, "POST", "/api/hooks", HOOK);
  const bodies: [string, string][] = [
    ["/api/runs", "application/json"],
    ["/api/datasets?name=a", "text/plain"],
    ["/hooks/nightly", "application/json"],
    ["/api/session", "application/json"],
  ];
  for (const [path, type] of bodies) {
    const headers = { "content-type": type, "content-encoding": "gzip" };
    const answer = await call(fixture, "POST", path, gzipSync("{}"), headers);
    expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, "identity"]);
    expect(answer.body.detail).toContain('"gzip"');
  }
  const plain = { "content-type": "application/json", "content-encoding": "identity" };
  expect((await call(fixture, "POST", "/api/runs", '{"dataset":"sample"}', plain)).status).toBe(202);
});
