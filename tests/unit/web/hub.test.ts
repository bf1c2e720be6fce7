import { beforeEach, describe, expect, test } from "bun:test";
import { Hub, SILENT_MS, type Source, type ToPage } from "#src/web/hub.js";
import type { RunEvent } from "#src/web/types.d.ts";

const event = (sequence: number): RunEvent => ({
  run_id: "run_1",
  sequence,
  timestamp: "2026-01-01T00:00:00.000Z",
  type: "run.evaluated",
  data: { step: sequence, val_loss: 1 },
});

/** A service with a log of `last` events, its streams and a clock that the test moves. */
class FakeSource implements Source {
  last: number | null = 10;
  fails = false;
  time = 0;
  readonly streams: { after: number; open: boolean; on: Parameters<Source["open"]>[1] }[] = [];
  #timers: { at: number; action: () => void }[] = [];

  open(after: number, on: Parameters<Source["open"]>[1]) {
    const stream = { after, open: true, on };
    this.streams.push(stream);
    return () => void (stream.open = false);
  }
  lastSequence() {
    return this.fails ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(this.last);
  }
  later(action: () => void, delayMs: number) {
    const timer = { at: this.time + delayMs, action };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }
  now = () => this.time;
  random = () => 0.5;

  get live() {
    return this.streams.filter(({ open }) => open);
  }
  async pass(ms: number) {
    for (const end = this.time + ms;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) return void (this.time = end);
      this.time = next.at;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.action();
      await settled();
    }
  }
}

class Tab {
  readonly messages: ToPage[] = [];
  postMessage(message: ToPage) {
    this.messages.push(message);
  }
  get sequences() {
    return this.messages.flatMap((message) => message.type === "event" ? [message.event.sequence] : []);
  }
}

/** All promises that were settled have been heard. */
async function settled() {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

let source: FakeSource;
let hub: Hub;
beforeEach(() => {
  source = new FakeSource();
  hub = new Hub(source);
});

async function watch(tab: Tab, after: number | null = null) {
  hub.receive(tab, { type: "watch", after });
  await settled();
  source.live[0]?.on.open();
}

describe("one stream", () => {
  test("serves eight tabs: each hears each event once and in order", async () => {
    const tabs = Array.from({ length: 8 }, () => new Tab());
    for (const tab of tabs) await watch(tab);
    expect(source.live).toHaveLength(1);
    for (const sequence of [11, 12, 12, 13]) source.live[0].on.event(event(sequence));
    for (const tab of tabs) {
      expect(tab.sequences).toEqual([11, 12, 13]);
      expect(tab.messages).toContainEqual({ type: "at", sequence: 10 });
      expect(tab.messages).toContainEqual({ type: "connection", connected: true });
    }
  });

  test("tells a tab that comes later where it stands, without opening another", async () => {
    await watch(new Tab());
    source.live[0].on.event(event(11));
    const late = new Tab();
    await watch(late);
    expect(source.streams).toHaveLength(1);
    expect(late.messages[0]).toEqual({ type: "at", sequence: 11 });
  });

  test("is closed when nobody looks, and opened where the first who returns left off", async () => {
    const [a, b] = [new Tab(), new Tab()];
    await watch(a);
    await watch(b);
    source.live[0].on.event(event(11));
    hub.receive(a, { type: "rest" });
    source.live[0].on.event(event(12));
    expect(source.live).toHaveLength(1);
    hub.receive(b, { type: "leave" });
    expect(source.live).toEqual([]);

    source.last = 20;
    await watch(a, 11);
    expect(source.live.map(({ after }) => after)).toEqual([11]);
    for (const sequence of [12, 13]) source.live[0].on.event(event(sequence));
    expect(a.sequences).toEqual([11, 12, 13]);
  });

  test("catches up one tab and repeats nothing to the others", async () => {
    const [hidden, looking] = [new Tab(), new Tab()];
    await watch(hidden);
    await watch(looking);
    hub.receive(hidden, { type: "rest" });
    source.last = 12;
    for (const sequence of [11, 12]) source.live[0].on.event(event(sequence));
    await watch(hidden, 10);
    expect(source.live.map(({ after }) => after)).toEqual([10]);
    for (const sequence of [11, 12, 13]) source.live[0].on.event(event(sequence));
    expect(hidden.sequences).toEqual([11, 12, 13]);
    expect(looking.sequences).toEqual([11, 12, 13]);
  });

  test("spares a tab that was away for long the replay, and knows a log that is another one", async () => {
    source.last = 100_000;
    const away = new Tab();
    await watch(away, 10);
    expect(away.messages[0]).toEqual({ type: "at", sequence: 100_000 });
    const ahead = new Tab();
    await watch(ahead, 200_000);
    expect(ahead.messages[0]).toEqual({ type: "at", sequence: 100_000 });
    expect(source.live.map(({ after }) => after)).toEqual([100_000]);
  });

  test("forgets a tab that crashed", async () => {
    const [crashed, alive] = [new Tab(), new Tab()];
    await watch(crashed);
    await watch(alive);
    for (let i = 0; i < 9; i++) {
      await source.pass(SILENT_MS / 3);
      hub.receive(alive, { type: "watch", after: 10 });
    }
    source.live[0].on.event(event(11));
    expect([crashed.sequences, alive.sequences]).toEqual([[], [11]]);
    await source.pass(3 * SILENT_MS);
    expect(source.live).toEqual([]);
  });
});

describe("a lost connection", () => {
  test("is tried again, ever more slowly, and resumes after the last event", async () => {
    const tab = new Tab();
    await watch(tab);
    source.live[0].on.event(event(11));
    source.fails = true;
    source.live[0].on.error();
    expect(source.live).toEqual([]);
    expect(tab.messages.at(-1)).toEqual({ type: "connection", connected: false });
    await source.pass(500 + 1000 + 2000);
    source.fails = false;
    source.last = 12;
    await source.pass(3999);
    expect(source.live).toEqual([]);
    await source.pass(1);
    expect(source.live.map(({ after }) => after)).toEqual([11]);
    source.live[0].on.open();
    source.live[0].on.event(event(12));
    expect(tab.sequences).toEqual([11, 12]);
    expect(tab.messages).toContainEqual({ type: "at", sequence: 11 });
  });

  test("is tried at once when the network is back", async () => {
    const tab = new Tab();
    source.fails = true;
    await watch(tab);
    source.fails = false;
    hub.receive(tab, { type: "retry" });
    await settled();
    expect(source.live).toHaveLength(1);
  });

  test("an older attempt's stream is heard no more", async () => {
    const tab = new Tab();
    await watch(tab);
    const [old] = source.live;
    old.on.error();
    old.on.event(event(11));
    old.on.open();
    expect(tab.sequences).toEqual([]);
    expect(tab.messages.at(-1)).toEqual({ type: "connection", connected: false });
  });
});

describe("the session", () => {
  test("over: all who look are told, and nothing is tried until somebody looks again", async () => {
    const [a, b] = [new Tab(), new Tab()];
    await watch(a);
    await watch(b);
    source.last = null;
    source.live[0].on.error();
    await source.pass(10 * SILENT_MS);
    for (const tab of [a, b]) expect(tab.messages.at(-1)).toEqual({ type: "signed-out", byHand: false });
    expect(source.streams).toHaveLength(1);
    source.last = 10;
    await watch(a);
    // The other tab, which shows the form to sign in, hears that there is a session again.
    expect(b.messages.at(-1)).toEqual({ type: "connection", connected: true });
  });

  test("ended by hand in one tab ends in the others", async () => {
    const [a, b] = [new Tab(), new Tab()];
    await watch(a);
    await watch(b);
    hub.receive(a, { type: "sign-out" });
    expect(b.messages.at(-1)).toEqual({ type: "signed-out", byHand: true });
    expect(a.messages.at(-1)).not.toMatchObject({ type: "signed-out" });
    expect(source.live).toEqual([]);
  });
});
