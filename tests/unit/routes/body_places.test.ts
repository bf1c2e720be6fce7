import { beforeEach, expect, test } from "bun:test";
import { BodyPlaces, NoPlaceError, type Place } from "#routes/body_places.ts";
import { SkippingClock } from "../runs/webhook_clock.ts";

const NEVER = new AbortController().signal;
let clock: SkippingClock;
let places: BodyPlaces;
beforeEach(() => {
  clock = new SkippingClock();
  places = new BodyPlaces(clock);
});

const take = (address: string, signal = NEVER) => places.take(address, signal);
const fill = (address: string) => Promise.all([1, 2, 3, 4].map(() => take(address)));

/** Notes in `begun` when a place is given. */
function wait(begun: string[], name: string, address = name): Promise<Place> {
  return take(address).then((place) => (begun.push(name), place));
}

const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

test("there are four, and each that is left goes to one that waits", async () => {
  const held = await fill("a");
  const begun: string[] = [];
  const first = wait(begun, "first");
  const second = wait(begun, "second");
  await settled();
  expect(begun).toEqual([]);
  held[0].leave();
  held[0].leave(); // counts once
  await settled();
  expect(begun).toEqual(["first"]);
  (await first).leave();
  (await second).leave();
  for (const place of held) place.leave();
  expect(clock.timers).toBe(0);
});

test("who holds fewest is next: a crowd behind one address holds up no other", async () => {
  const held = await fill("crowd");
  const begun: string[] = [];
  for (let i = 0; i < 300; i++) void wait(begun, `crowd ${i}`, "crowd");
  const own = wait(begun, "github");
  held[0].leave();
  await own;
  expect(begun).toEqual(["github"]);
  held[1].leave();
  await settled();
  expect(begun).toEqual(["github", "crowd 0"]);
});

test("waiting ends after 8 s with a 503 that says when to come again", async () => {
  const held = await fill("a");
  for (const place of held) place.settle();
  const refused = take("b").catch((error) => error);
  expect(clock.skip()).toBeLessThanOrEqual(8_000);
  const error = await refused;
  expect(error).toBeInstanceOf(NoPlaceError);
  expect([error.status, error.extra.headers["retry-after"]]).toEqual([503, "5"]);
  for (const place of held) place.leave();
  expect((await take("c")).signal.aborted).toBe(false);
});

test("waiting ends with the request, and its turn goes to the next", async () => {
  const held = await fill("a");
  const request = new AbortController();
  const gone = take("b", request.signal).catch((error) => error);
  const begun: string[] = [];
  const next = wait(begun, "c");
  request.abort(new Error("gone"));
  expect((await gone).message).toBe("gone");
  held[0].leave();
  await next;
  await expect(take("b", request.signal)).rejects.toThrow("gone");
});

test("a body that comes slowly leaves its place to one that waits, and to nobody else", async () => {
  const slow = await fill("slow");
  for (const place of slow.slice(1)) place.settle(); // whole
  clock.skip();
  expect(slow.map(({ signal }) => signal.aborted)).toEqual([false, false, false, false]);
  const next = take("b");
  expect(slow.map(({ signal }) => signal.aborted)).toEqual([true, false, false, false]);
  expect(slow[0].signal.reason).toBeInstanceOf(NoPlaceError);
  slow[0].leave();
  expect((await next).signal.aborted).toBe(false);
});

test("one that waits already gets the place of the first to become slow", async () => {
  const held = await fill("slow");
  for (const place of held.slice(1)) place.settle();
  clock.advance(5_000);
  const next = take("b");
  expect(held[0].signal.aborted).toBe(false);
  clock.skip();
  expect(held[0].signal.aborted).toBe(true);
  held[0].leave();
  await next;
});
