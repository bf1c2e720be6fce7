import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Receiver, statusAnswer, verify } from "../../support/receiver.ts";
import { waitFor } from "../../support/wait_for.ts";
import { Fixture } from "../runs/fixture.ts";
import { SkippingClock } from "../runs/webhook_clock.ts";
import { call } from "./http.ts";
import { addHook, github, type HookAnswer, standard } from "./signed.ts";

let fixture: Fixture;
let clock: SkippingClock;
beforeEach(async () => {
  fixture = await Fixture.open({ allowPrivateUrls: true, newClock: () => clock = new SkippingClock() });
});
afterEach(() => fixture.close());

const rotate = (path: string, body?: unknown, headers = {}) =>
  call<HookAnswer>(fixture, "POST", `/api/${path}/rotate`, body, headers);
const sealed = () => fixture.reverie.db.$client.prepare("select * from old_secrets").all();

describe.each([["github", github], ["standard", standard]] as const)("a hook signed as %s", (scheme, deliver) => {
  let hook: HookAnswer;
  beforeEach(async () => {
    hook = await addHook(fixture, { scheme });
  });
  let count = 0;
  const status = async (secret: string) => (await deliver(fixture, "{}", { secret, id: `d-${++count}` })).status;
  const statuses = async (secrets: string[]) => {
    const found = [];
    for (const secret of secrets) found.push(await status(secret));
    return found;
  };

  test("takes both secrets during the overlap, and then forgets the old one", async () => {
    const { status: answered, body } = await rotate(`hooks/${hook.id}`, { overlap_seconds: 600 });
    expect(answered).toBe(200);
    expect(body).toMatchObject({ id: hook.id, name: "nightly", url: "/hooks/nightly" });
    expect(body.secret).not.toBe(hook.secret);
    expect(body.secret).toHaveLength(hook.secret.length);
    const ends = Date.parse(body.old_secret_expires_at!) - clock.now();
    expect(ends).toBeGreaterThan(590_000);
    expect(ends).toBeLessThanOrEqual(600_000);
    expect(await statuses([hook.secret, body.secret])).toEqual([202, 202]);
    expect(sealed()).toHaveLength(1);
    clock.skip();
    expect(sealed()).toEqual([]);
    expect(await statuses([hook.secret, body.secret])).toEqual([401, 202]);
  });

  test("keeps both over a restart, and forgets at the next start what expired meanwhile", async () => {
    const { body } = await rotate(`hooks/${hook.id}`);
    await fixture.boot();
    expect(await statuses([hook.secret, body.secret])).toEqual([202, 202]);
    fixture.reverie.db.$client.prepare("update old_secrets set expires_at = '2026-01-01T00:00:00.000Z'").run();
    expect(await status(hook.secret)).toBe(401);
    await fixture.boot();
    expect(sealed()).toEqual([]);
  });

  test("with no overlap ends every older secret at once", async () => {
    const second = (await rotate(`hooks/${hook.id}`, {})).body;
    const { body } = await rotate(`hooks/${hook.id}`, { overlap_seconds: 0 });
    expect(body.old_secret_expires_at).toBeNull();
    expect(await statuses([hook.secret, second.secret, body.secret])).toEqual([401, 401, 202]);
    expect(sealed()).toEqual([]);
  });

  test("rotated again in an overlap keeps the oldest no longer than the last one asks", async () => {
    const second = (await rotate(`hooks/${hook.id}`, { overlap_seconds: 3600 })).body;
    const third = (await rotate(`hooks/${hook.id}`, { overlap_seconds: 60 })).body;
    const secrets = [hook.secret, second.secret, third.secret];
    expect(await statuses(secrets)).toEqual([202, 202, 202]);
    clock.skip();
    expect(await statuses(secrets)).toEqual([401, 401, 202]);
  });

  test("rotated again ends no secret before its own time", async () => {
    const second = (await rotate(`hooks/${hook.id}`, { overlap_seconds: 60 })).body;
    const third = (await rotate(`hooks/${hook.id}`, { overlap_seconds: 3600 })).body;
    await Promise.resolve();
    clock.skip();
    expect(await statuses([hook.secret, second.secret, third.secret])).toEqual([401, 202, 202]);
  });

  test("has five secrets at most", async () => {
    for (let i = 0; i < 4; i++) expect((await rotate(`hooks/${hook.id}`)).status).toBe(200);
    const { status: refused, body } = await rotate(`hooks/${hook.id}`);
    expect([refused, body.detail]).toEqual([409, expect.stringContaining("overlap_seconds 0")]);
    expect(await status(hook.secret)).toBe(202);
    expect((await rotate(`hooks/${hook.id}`, { overlap_seconds: 0 })).status).toBe(200);
  });

  test("takes its secrets with it", async () => {
    await rotate(`hooks/${hook.id}`);
    await call(fixture, "DELETE", `/api/hooks/${hook.id}`);
    expect(sealed()).toEqual([]);
    await addHook(fixture, { scheme });
    expect(await status(hook.secret)).toBe(401);
  });
});

test("an Idempotency-Key rotates once, and the secrets are nowhere in the open", async () => {
  const hook = await addHook(fixture);
  const headers = { "idempotency-key": "one" };
  const [first, second] = [
    await rotate(`hooks/${hook.id}`, {}, headers),
    await rotate(`hooks/${hook.id}`, {}, headers),
  ];
  expect([second.status, second.body]).toEqual([200, first.body]);
  expect(sealed()).toHaveLength(1);
  expect((await rotate(`hooks/${hook.id}`, { overlap_seconds: 1 }, headers)).status).toBe(422);
  const tables = ["hooks", "old_secrets", "idempotency_keys"].map((name) =>
    fixture.reverie.db.$client.prepare(`select * from ${name}`).all()
  );
  for (const { secret } of [hook, first.body]) {
    expect(JSON.stringify(tables)).not.toContain(secret);
    expect((await call(fixture, "GET", `/api/hooks/${hook.id}`)).text).not.toContain(secret);
  }
});

test.each([[{ overlap_seconds: -1 }], [{ overlap_seconds: 604_801 }], [{ overlap_seconds: 1.5 }], [{ overlap: 1 }]])(
  "%p is refused",
  async (body) => {
    const hook = await addHook(fixture);
    expect((await rotate(`hooks/${hook.id}`, body)).status).toBe(400);
    expect((await rotate(`hooks/${hook.id}`, JSON.stringify(body), { "content-type": "text/plain" })).status).toBe(415);
    expect(sealed()).toEqual([]);
  },
);

test("what is not there cannot be rotated", async () => {
  expect((await rotate("hooks/hook_1")).status).toBe(404);
  expect((await rotate("webhooks/whe_1")).status).toBe(404);
});

test("a webhook signs by both secrets during the overlap, and then by the new one", async () => {
  await using receiver = await Receiver.listen(statusAnswer(204));
  const { id, secret } = (await call<HookAnswer>(fixture, "POST", "/api/webhooks", {
    url: receiver.url,
    events: ["run.failed"],
  })).body;
  const ping = async (count: number) => {
    expect((await call(fixture, "POST", `/api/webhooks/${id}/ping`)).status).toBe(202);
    return (await receiver.messages(count))[count - 1];
  };
  const { body } = await rotate(`webhooks/${id}`, { overlap_seconds: 60 });
  expect(body).toMatchObject({ id, url: receiver.url, enabled: true });
  const during = await ping(1);
  expect(during.headers["webhook-signature"].split(" ")).toHaveLength(2);
  verify(secret, during);
  verify(body.secret, during);
  await waitFor("the delivery's end", () => clock.timers === 1, { everyMs: 2 });
  clock.skip();
  const after = await ping(2);
  expect(after.headers["webhook-signature"].split(" ")).toHaveLength(1);
  verify(body.secret, after);
  expect(() => verify(secret, after)).toThrow();
  expect(sealed()).toEqual([]);

  await rotate(`webhooks/${id}`);
  expect(sealed()).toHaveLength(1);
  await call(fixture, "DELETE", `/api/webhooks/${id}`);
  expect(sealed()).toEqual([]);
});
