import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { EventLog } from "#src/runs/event_log.ts";
import type { Follower } from "#src/runs/followers.ts";
import { Random } from "../../reference/random.ts";
import { EventStream } from "../../support/event_stream.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
let events: EventLog;
let runId: string;
beforeEach(async () => {
  fixture = await Fixture.open();
  events = fixture.reverie.events;
  runId = await fixture.run();
});
afterEach(() => fixture.close());

const append = (n: number) => events.append(runId, "run.sampled", { n });
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Reads until `count` events have come, and gives the number in each. */
async function take(follower: Follower, count: number): Promise<number[]> {
  const stream = new EventStream();
  while (stream.events.length < count) stream.push((await follower.next())!);
  return stream.events.map(({ data }) => data.n as number);
}

describe("a follower", () => {
  test("sees what was there and what comes, once and in order", async () => {
    for (let n = 0; n < 450; n++) append(n);
    const follower = events.follow({ runId }, 1);
    const replayed = await take(follower, 450);
    const coming = take(follower, 3);
    append(450);
    fixture.reverie.db.transaction(() => {
      append(451);
      append(452);
    });
    expect([...replayed, ...await coming]).toEqual(upTo(453));
  });

  test("who reads as fast as it can lets others have their turn", async () => {
    const COUNT = 20_000;
    const insert = fixture.reverie.db.$client.prepare(
      "insert into events (run_id, type, timestamp, data) values (?, 'run.sampled', '', ?)",
    );
    fixture.reverie.db.$client.transaction(() => {
      for (let n = 0; n < COUNT; n++) insert.run(runId, JSON.stringify({ n }));
    })();
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const readers = Array.from({ length: 3 }, () => new EventLog(fixture.reverie.db).follow({ runId }, 1));
    const many = new EventLog(fixture.reverie.db);
    readers.push(many.follow({ runId }, 1), many.follow({ runId }, 1));
    for (const numbers of await Promise.all(readers.map((reader) => take(reader, COUNT)))) {
      expect(numbers).toEqual(upTo(COUNT));
    }
    clearInterval(timer);
    for (const reader of readers) reader.leave();
    expect(turns).toBeGreaterThan(5);
  });

  test("does not see what was rolled back", async () => {
    const next = take(events.follow({ runId }, 1), 1);
    expect(() =>
      fixture.reverie.db.transaction(() => {
        append(0);
        throw new Error("no");
      })
    ).toThrow("no");
    append(1);
    expect(await next).toEqual([1]);
  });

  test("is counted until it leaves", async () => {
    const [first, second, unread] = [events.follow({ runId }, 1), events.follow({}, 0), events.follow({}, 0)];
    const waiting = first.next();
    await second.next();
    expect(events.followers).toBe(2);
    unread.leave();
    first.leave();
    first.leave();
    expect(await waiting).toBeNull();
    expect(events.followers).toBe(1);
    second.leave();
    expect(events.followers).toBe(0);
  });

  test("of one run is not woken by another's events", async () => {
    const other = await fixture.run();
    const all = events.follow({}, 0);
    await take(all, 2); // the log has read all there is
    const follower = events.follow({ runId: other }, events.lastSequence());
    let wakes = 0;
    const { wake } = follower;
    follower.wake = (woken) => {
      wakes++;
      wake.call(follower, woken);
    };
    const next = follower.next();
    for (let n = 0; n < 10; n++) {
      append(n);
      await take(all, 1);
    }
    expect(wakes).toBe(0);
    events.append(other, "run.sampled", { n: 10 });
    const stream = new EventStream();
    stream.push((await next)!);
    expect(stream.events[0].data).toEqual({ n: 10 });
    expect(wakes).toBe(1);
    all.leave();
  });

  test("gets a comment as heartbeat, also while other runs keep the log busy", async () => {
    const beating = new EventLog(fixture.reverie.db, { heartbeatMs: 30 });
    const follower = beating.follow({ runId, types: ["run.failed"] }, 1);
    const busy = setInterval(() => beating.append(runId, "run.sampled", {}), 5);
    try {
      expect(new TextDecoder().decode((await follower.next())!)).toBe(": ping\n\n");
    } finally {
      clearInterval(busy);
      follower.leave();
    }
  });

  test("ends with the run, once it has seen the last event", async () => {
    const early = events.follow({ runId }, 1);
    const waiting = early.next();
    fixture.reverie.runner.act("cancel", runId);
    fixture.trainer.ended("cancelled", 0);
    const late = events.follow({ runId }, 1);
    const first = [await waiting, await late.next()];
    expect(first.map((bytes) => new TextDecoder().decode(bytes!))).toEqual([
      expect.stringContaining("event: run.cancelled"),
      expect.stringContaining("event: run.cancelled"),
    ]);
    expect(await early.next()).toBeNull();
    expect(await late.next()).toBeNull();
    expect(events.followers).toBe(0);
  });

  test("ends with the log, once it has seen the last event", async () => {
    const follower = events.follow({}, events.lastSequence());
    const last = take(follower, 1);
    append(7);
    events.close();
    expect(await last).toEqual([7]);
    expect(await follower.next()).toBeNull();
  });

  test("hears of a read that failed, and is gone", async () => {
    const follower = events.follow({ runId }, 1);
    const next = follower.next();
    const { list } = events;
    events.list = () => {
      throw new Error("disk I/O error");
    };
    append(0);
    const error = await next.then(() => null, (error: Error) => error);
    events.list = list;
    expect(error?.message).toBe("disk I/O error");
    expect(events.followers).toBe(0);
  });
});

/** Two seconds of what happens to a log, from a seed. */
for (const seed of [1, 2, 3, 4, 5]) {
  test(
    `random appends, rollbacks, filters, slow readers and reconnects: once and in order (seed ${seed})`,
    async () => {
      const draw = new Random(seed);
      const random = () => draw.uniform();
      const { db } = fixture.reverie;
      const runIds = [runId, await fixture.run(), await fixture.run()];
      const types = ["run.sampled", "run.progress", "run.evaluated"] as const;
      const after = events.lastSequence();
      // More than are told at once, so that the pace is part of it.
      const readers = Array.from({ length: 60 }, (_, i) => ({
        filter: {
          ...(i % 3 > 0 && { runId: runIds[i % 3] }),
          ...(i % 2 > 0 && { types: types.slice(0, 1 + i % 2) }),
        },
        stream: new EventStream(),
        pauseMs: i % 5 === 0 ? 20 : 0,
      }));
      let isDone = false;
      const last = () => events.list({}, { after: null, limit: 1, order: "desc" })[0].sequence;
      const reading = readers.map(async ({ filter, stream, pauseMs }) => {
        const wanted = () => events.list(filter, { after: null, limit: 1, order: "desc" })[0]?.sequence ?? 0;
        const cursor = () => stream.ids.at(-1) ?? after;
        let follower = events.follow(filter, after);
        while (!isDone || cursor() < Math.max(after, wanted())) {
          if (random() < 0.05) {
            follower.leave(); // and comes back with the id of its last event
            follower = events.follow(filter, cursor());
          }
          if (pauseMs > 0) await Bun.sleep(random() * pauseMs);
          const bytes = await follower.next();
          if (bytes === null) break;
          stream.push(bytes);
        }
        follower.leave();
      });
      for (let n = 0; n < 400; n++) {
        const appendSome = () => {
          for (let k = 0; k <= random() * 3; k++) {
            const text = "x".repeat(random() < 0.02 ? 40_000 : random() * 4000);
            events.append(runIds[Math.floor(random() * 3)], types[Math.floor(random() * 3)], { n, text });
          }
        };
        if (random() < 0.2) {
          expect(() =>
            db.transaction(() => {
              appendSome();
              throw new Error("rolled back");
            })
          ).toThrow("rolled back");
        } else if (random() < 0.5) db.transaction(appendSome);
        else appendSome();
        if (random() < 0.3) await Bun.sleep(0);
      }
      isDone = true;
      for (const id of runIds) for (const type of types) events.append(id, type, { n: last() }); // whoever waits looks
      await Promise.all(reading);
      for (const { filter, stream } of readers) {
        const expected = [];
        for (let at = after;;) {
          const page = events.list(filter, { after: at, limit: 500, order: "asc" });
          if (page.length === 0) break;
          expected.push(...page);
          at = page[page.length - 1].sequence;
        }
        expect(stream.ids).toEqual(expected.map(({ sequence }) => sequence));
        expect(stream.events).toEqual(expected);
      }
      expect(events.followers).toBe(0);
    },
    30_000,
  );
}

test("many followers are told by and by, few at once; the database is read once for all", async () => {
  let reads = 0;
  const { list } = events;
  events.list = (...args) => {
    reads++;
    return list.apply(events, args);
  };
  for (const [followers, mostReads] of [[10, 20], [300, 3]]) {
    const all = Array.from({ length: followers }, () => events.follow({ runId }, events.lastSequence()));
    const taken = all.map((follower) => take(follower, 20));
    reads = 0;
    for (let n = 0; n < 20; n++) {
      append(n);
      await Bun.sleep(1);
    }
    for (const numbers of await Promise.all(taken)) expect(numbers).toEqual(upTo(20));
    expect(reads).toBeLessThanOrEqual(mostReads);
    for (const follower of all) follower.leave();
  }
});

test("who comes between two reads of the many gets what is unread once, too", async () => {
  const log = new EventLog(fixture.reverie.db); // as after a restart: what is there is not in its tail
  const many = Array.from({ length: 100 }, () => log.follow({}, 0));
  const waiting = many.map((follower) => take(follower, 4));
  for (let n = 0; n < 3; n++) {
    log.append(runId, "run.sampled", { n });
    await Bun.sleep(0);
  }
  const late = log.follow({}, 0);
  expect((await take(late, 4)).slice(1)).toEqual(upTo(3));
  log.append(runId, "run.sampled", { n: 3 });
  expect(await take(late, 1)).toEqual([3]);
  for (const numbers of await Promise.all(waiting)) expect(numbers.slice(1)).toEqual(upTo(3));
  for (const follower of [...many, late]) follower.leave();
});

test("a sequence is never given twice, not even after a deletion", async () => {
  const before = events.lastSequence();
  fixture.reverie.runner.act("cancel", runId);
  fixture.trainer.ended("cancelled", 0);
  const follower = events.follow({}, 0);
  await fixture.reverie.runner.remove(runId);
  await fixture.reverie.removals.settle();
  expect(fixture.events(runId).map(({ type }) => type)).toEqual(["run.deleted"]);
  const other = await fixture.run();
  expect(fixture.events(other)[0].sequence).toBeGreaterThan(before);
  const stream = new EventStream<{ sequence: number; run_id: string }>();
  while (stream.events.at(-1)?.run_id !== other) stream.push((await follower.next())!);
  expect(stream.ids).toEqual([...new Set(stream.ids)].sort((a, b) => a - b));
  follower.leave();
});
