import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { BodyPlaces } from "#routes/body_places.ts";
import { MAX_HOOK_BODY_BYTES, withHookBody } from "#routes/hook_body.ts";
import { Fixture } from "../runs/fixture.ts";
import { SkippingClock } from "../runs/webhook_clock.ts";
import { addHook, github, push } from "./signed.ts";

const MIB = 2 ** 20;

/** A body that comes in the pieces that the test gives, and tells whether it was read or called off. */
function piecemeal() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const seen = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start: (its) => void (controller = its),
    pull: () => void seen.pulled++,
    cancel: () => void (seen.cancelled = true),
  }, { highWaterMark: 0 });
  return {
    body,
    seen,
    send: (bytes: number) => controller.enqueue(new Uint8Array(bytes).fill(1)),
    end: () => controller.close(),
  };
}

function read(
  body: ReadableStream<Uint8Array>,
  { length, clock = new SkippingClock(), places = new BodyPlaces(clock) }: {
    length?: number;
    clock?: SkippingClock;
    places?: BodyPlaces;
  },
) {
  const headers = length === undefined ? undefined : { "content-length": String(length) };
  const request = new Request(
    "http://localhost/hooks/h",
    { method: "POST", body, headers, duplex: "half" } as RequestInit,
  );
  const hmac = createHmac("sha256", "k");
  const reading = { request, address: "a", places, onChunk: (chunk: Uint8Array) => void hmac.update(chunk), clock };
  const result = withHookBody(reading, (whole) => ({
    bytes: whole.length,
    isWhole: createHmac("sha256", "k").update(whole).digest("hex") === hmac.digest("hex"),
  }));
  result.catch(() => {}); // the test looks itself
  return { result, clock };
}

describe("a body", () => {
  test.each([
    ["small", 100, [100]],
    ["of odd pieces, its length told", 200_000, [1, 65_536, 70_000, 64_463]],
    ["of odd pieces, its length not told", undefined, [1, 65_535, 1, 500_000, 3]],
    ["of the largest size, its length told", MAX_HOOK_BODY_BYTES, [20 * MIB, 5 * MIB]],
    ["of the largest size, its length not told", undefined, [20 * MIB, 5 * MIB]],
    ["of nothing", 0, []],
  ])("%s comes whole, and is hashed as it comes", async (_, length, pieces) => {
    const source = piecemeal();
    const { result, clock } = read(source.body, { length });
    for (const bytes of pieces) source.send(bytes);
    source.end();
    expect(await result).toEqual({ bytes: pieces.reduce((sum, bytes) => sum + bytes, 0), isWhole: true });
    expect(clock.timers).toBe(0);
  });

  test("that says it is larger is refused before a byte is read", async () => {
    const source = piecemeal();
    const { result } = read(source.body, { length: MAX_HOOK_BODY_BYTES + 1 });
    await expect(result).rejects.toMatchObject({ status: 413 });
    expect(source.seen.pulled).toBe(0);
  });

  test("that grows larger is broken off", async () => {
    const source = piecemeal();
    const { result } = read(source.body, {});
    source.send(20 * MIB);
    source.send(5 * MIB + 1);
    await expect(result).rejects.toMatchObject({ status: 413 });
    expect(source.seen.cancelled).toBe(true);
  });

  test("that does not end is broken off after 30 s", async () => {
    const source = piecemeal();
    const { result, clock } = read(source.body, { length: 100 });
    source.send(50);
    clock.skip();
    await expect(result).rejects.toMatchObject({ status: 408 });
    expect(source.seen.cancelled).toBe(true);
  });
});

describe("where all places are taken", () => {
  const NEVER = new AbortController().signal;
  const full = async () => {
    const places = new BodyPlaces(new SkippingClock());
    const held = await Promise.all([1, 2, 3, 4].map(() => places.take("strangers", NEVER)));
    return { places, held };
  };

  test("a small body passes, and a large one is not read until there is one", async () => {
    const { places, held } = await full();
    const small = piecemeal();
    small.send(64 * 1024);
    small.end();
    expect(await read(small.body, { length: 64 * 1024, places }).result).toMatchObject({ isWhole: true });
    const large = piecemeal();
    const { result } = read(large.body, { length: MIB, places });
    large.send(MIB);
    large.end();
    await Bun.sleep(0);
    expect(large.seen.pulled).toBe(0);
    held[0].leave();
    expect(await result).toEqual({ bytes: MIB, isWhole: true });
    await places.take("next", NEVER); // its place is free again
  });

  test("a body that fails leaves its place", async () => {
    const { places, held } = await full();
    held[0].leave();
    for (let i = 0; i < 3; i++) {
      const source = piecemeal();
      const { result } = read(source.body, { places });
      source.send(26 * MIB);
      await expect(result).rejects.toMatchObject({ status: 413 });
    }
    await places.take("next", NEVER);
  });
});

describe("through the application", () => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = await Fixture.open();
  });
  afterEach(() => fixture.close());

  test("a signed delivery of 25 MiB starts its run, and one more byte is a 413", async () => {
    const { secret } = await addHook(fixture);
    const padding = MAX_HOOK_BODY_BYTES - push("refs/heads/main", { padding: "" }).length;
    const largest = push("refs/heads/main", { padding: "x".repeat(padding) });
    expect(largest).toHaveLength(MAX_HOOK_BODY_BYTES);
    expect((await github(fixture, largest, { secret, id: "1" })).status).toBe(202);
    expect((await github(fixture, `${largest} `, { secret, id: "2" })).status).toBe(413);
  });

  test.each([
    ["no hook of the name", "nobody", {}, 404],
    ["no signature", "nightly", {}, 401],
  ])("a body for %s is not read", async (_, name, headers, status) => {
    await addHook(fixture);
    const source = piecemeal();
    const response = await fixture.app.request(`/hooks/${name}`, {
      method: "POST",
      body: source.body,
      headers,
      duplex: "half",
    } as RequestInit);
    expect([response.status, source.seen.pulled]).toEqual([status, 0]);
  });
});
