import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { RunEvent } from "#src/runs/event_log.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
let runId: string;
beforeEach(async () => {
  fixture = await Fixture.open();
  runId = await fixture.run();
});
afterEach(() => fixture.close());

const append = (n: number) => fixture.reverie.events.append(runId, "run.sampled", { n });

/** Reads until `count` events have come. */
async function take(batches: AsyncGenerator<RunEvent[]>, count: number): Promise<RunEvent[]> {
  const taken: RunEvent[] = [];
  while (taken.length < count) taken.push(...(await batches.next()).value);
  return taken;
}

describe("a follower", () => {
  test("sees what was there and what comes, once and in order", async () => {
    for (let n = 0; n < 450; n++) append(n);
    const follower = fixture.reverie.events.follow({ runId }, { after: 1, signal: new AbortController().signal });
    const replayed = await take(follower, 450);
    const coming = take(follower, 3);
    append(450);
    fixture.reverie.db.transaction(() => {
      append(451);
      append(452);
    });
    const numbers = [...replayed, ...await coming].map(({ data }) => data.n);
    expect(numbers).toEqual(Array.from({ length: 453 }, (_, n) => n));
  });

  test("does not see what was rolled back", async () => {
    const { events, db } = fixture.reverie;
    const follower = events.follow({ runId }, { after: 1, signal: new AbortController().signal });
    const next = take(follower, 1);
    expect(() =>
      db.transaction(() => {
        append(0);
        throw new Error("no");
      })
    ).toThrow("no");
    append(1);
    expect((await next)[0].data).toEqual({ n: 1 });
  });

  test("gets an empty batch as a heartbeat", async () => {
    const follower = fixture.reverie.events.follow({ runId }, {
      after: 1,
      signal: new AbortController().signal,
      heartbeatMs: 1,
    });
    expect((await follower.next()).value).toEqual([]);
  });

  test("gets its heartbeat while other runs keep the log busy", async () => {
    const { events } = fixture.reverie;
    const options = { after: 1, signal: new AbortController().signal, heartbeatMs: 50 };
    const busy = setInterval(() => events.wake(), 5);
    try {
      expect((await events.follow({ runId }, options).next()).value).toEqual([]);
    } finally {
      clearInterval(busy);
    }
  });

  test("ends with its signal, with the log, and when nothing will come", async () => {
    const { events } = fixture.reverie;
    const abort = new AbortController();
    const aborted = events.follow({ runId }, { after: 1, signal: abort.signal }).next();
    abort.abort();
    expect((await aborted).done).toBe(true);

    const open = new AbortController().signal;
    const over = events.follow({ runId }, { after: 0, signal: open, isOver: () => true });
    expect((await over.next()).value).toHaveLength(1);
    expect((await over.next()).done).toBe(true);

    const closed = events.follow({ runId }, { after: 1, signal: open }).next();
    events.close();
    expect((await closed).done).toBe(true);
  });
});

test("a sequence is never given twice, not even after a deletion", async () => {
  const before = fixture.reverie.events.lastSequence();
  fixture.reverie.runner.act("cancel", runId);
  fixture.trainer.ended("cancelled", 0);
  await fixture.reverie.runner.remove(runId);
  expect(fixture.events(runId)).toEqual([]);
  const other = await fixture.run();
  expect(fixture.events(other)[0].sequence).toBeGreaterThan(before);
});
