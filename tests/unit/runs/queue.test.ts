import { afterEach, describe, expect, test } from "bun:test";
import { Fixture } from "./fixture.ts";
import { ConflictError, QueueFullError } from "#src/errors.ts";
import { CallFailedError } from "#src/runs/calls.ts";
import { trainingBytes } from "#src/runs/admission.ts";
import { waitFor } from "../../support/wait_for.ts";
import { FAKE_DEVICE } from "./fake_trainer.ts";

let fixture: Fixture;
afterEach(() => fixture.close());

const runOf = (id: string) => fixture.reverie.runs.get(id);
const statuses = (ids: string[]) => ids.map((id) => runOf(id).status);
/** A turn of the event loop: trainers answer in microtasks. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("the queue", () => {
  test("gives the highest priority its turn first, equals in the order they were asked for", async () => {
    fixture = await Fixture.open();
    const first = await fixture.run();
    const ids = [];
    for (const priority of [0, 5, 0, 5, -1]) ids.push(await fixture.run({ priority }));
    const raised = ids[4];
    fixture.reverie.runs.update(raised, { priority: 9 });
    const order = [];
    for (let turns = 0; turns < 6; turns++) {
      order.push(fixture.trainer.start.run_id);
      fixture.trainer.started();
      fixture.trainer.ended("succeeded", 100);
    }
    expect(order).toEqual([first, raised, ids[1], ids[3], ids[0], ids[2]]);
  });

  test("is of limited length; what does not wait takes no place in it", async () => {
    fixture = await Fixture.open({ settings: { maxQueued: 2 } });
    await fixture.run();
    const [second, third] = [await fixture.run(), await fixture.run()];
    await fixture.run({ drive: "invoke" });
    expect(await fixture.run().catch((error) => error)).toBeInstanceOf(QueueFullError);
    fixture.reverie.runner.act("pause", second);
    await fixture.run();
    expect(await fixture.run().catch((error) => error)).toMatchObject({ status: 429 });
    fixture.reverie.runner.act("cancel", third);
    await fixture.run();
  });

  test("a run deleted while it waits is gone, and the next has its turn", async () => {
    fixture = await Fixture.open();
    await fixture.run();
    const [second, third] = [await fixture.run(), await fixture.run()];
    await fixture.reverie.runner.remove(second);
    fixture.trainer.ended("succeeded", 100);
    expect(fixture.trainer.start.run_id).toBe(third);
    expect(fixture.reverie.runs.find(second)).toBeUndefined();
  });
});

describe("several at once", () => {
  test("as many as asked for, each with a trainer of its own", async () => {
    fixture = await Fixture.open({ settings: { concurrency: 2 } });
    const ids = [await fixture.run(), await fixture.run(), await fixture.run()];
    await turn();
    expect(fixture.trainers).toHaveLength(2);
    expect(statuses(ids)).toEqual(["running", "running", "queued"]);
    const [one, two] = fixture.trainers;
    two.started();
    two.progress(1, 3);
    two.ended("succeeded", 3);
    expect(statuses(ids)).toEqual(["running", "succeeded", "running"]);
    expect(two.start.run_id).toBe(ids[2]);
    one.crash("lost");
    await turn();
    expect(statuses(ids)).toEqual(["running", "succeeded", "running"]);
    expect(runOf(ids[0]).attempts).toBe(1);
    expect(runOf(ids[2]).attempts).toBe(0);
  });

  test("no more than memory allows, and nobody overtakes", async () => {
    fixture = await Fixture.open();
    const small = runOf(await fixture.run());
    const bytes = trainingBytes(small.config, FAKE_DEVICE);
    await fixture.close();

    const device = { ...FAKE_DEVICE, memoryBytes: 2.5 * bytes };
    fixture = await Fixture.open({ settings: { concurrency: 3 }, firstReport: { type: "device", device } });
    const large = { model: { n_layer: 8, n_embd: 128, n_head: 4 } };
    expect(trainingBytes({ ...small.config, model: { ...small.config.model, n_layer: 8 } }, device)).toBeWithin(
      1.5 * bytes,
      2.5 * bytes,
    );
    const ids = [await fixture.run(), await fixture.run(large), await fixture.run()];
    await turn();
    expect(statuses(ids)).toEqual(["running", "queued", "queued"]);
    fixture.trainers[0].ended("succeeded", 100);
    await turn();
    expect(statuses(ids)).toEqual(["succeeded", "running", "queued"]);
  });

  test("a card whose memory is not known takes what the settings say", async () => {
    const device = { ...FAKE_DEVICE, software: false, memoryBytes: null };
    fixture = await Fixture.open({ settings: { gpuMemoryBytes: 1000 }, firstReport: { type: "device", device } });
    expect(await fixture.run().catch((error) => error)).toMatchObject({ extra: { facts: { bytes_available: 1000 } } });
  });
});

describe("a run driven by calls", () => {
  const LIMITS = { max_steps: 10, max_ms: 60_000 };
  const invoke = (id: string, limits = LIMITS) => fixture.reverie.runner.invoke(id, limits);

  test("waits for its call, trains within its limits, and waits again", async () => {
    fixture = await Fixture.open();
    const id = await fixture.run({ drive: "invoke" });
    expect(runOf(id).status).toBe("queued");
    const call = invoke(id);
    expect(fixture.trainer.start.limits).toEqual({ steps: 10, ms: expect.closeTo(60_000, -4) });
    fixture.trainer.started();
    expect(() => invoke(id)).toThrow(ConflictError);
    await expect(fixture.reverie.runner.remove(id)).rejects.toThrow(ConflictError);
    fixture.trainer.progress(1, 10);
    fixture.trainer.checkpointed(10);
    fixture.trainer.ended("yielded", 10);
    expect(await call).toMatchObject({ from_step: 0, to_step: 10, status: "queued", metrics: { "train/loss": 3.9 } });
    expect(fixture.events(id).at(-1)!.type).toBe("run.checkpointed");
    fixture.trainer.commands.length = 0;
    await turn();
    expect(fixture.trainer.commands).toEqual([]);
  });

  test("has its turn before the queue, after the run under way", async () => {
    fixture = await Fixture.open();
    const [running, waiting] = [await fixture.run(), await fixture.run({ priority: 1000 })];
    const id = await fixture.run({ drive: "invoke" });
    const call = invoke(id);
    expect(statuses([running, waiting, id])).toEqual(["running", "queued", "queued"]);
    fixture.trainer.ended("succeeded", 100);
    expect(statuses([running, waiting, id])).toEqual(["succeeded", "queued", "running"]);
    fixture.trainer.started();
    fixture.trainer.ended("yielded", 0);
    expect((await call).status).toBe("queued");
    expect(runOf(waiting).status).toBe("running");
  });

  test("a call that gets no turn in its time says so", async () => {
    fixture = await Fixture.open();
    await fixture.run();
    const id = await fixture.run({ drive: "invoke" });
    expect(await invoke(id, { max_steps: 1, max_ms: 20 }).catch((error) => error)).toMatchObject({ status: 503 });
    fixture.trainer.ended("succeeded", 100);
    expect(runOf(id).status).toBe("queued");
  });

  test("a call whose trainer crashes says so, and the next goes on", async () => {
    fixture = await Fixture.open();
    const id = await fixture.run({ drive: "invoke" });
    const call = invoke(id);
    fixture.trainer.started();
    fixture.trainer.checkpointed(0);
    fixture.trainer.crash("lost the device");
    expect(await call.catch((error) => error)).toBeInstanceOf(CallFailedError);
    expect(runOf(id)).toMatchObject({ status: "queued", attempts: 1 });
    const next = invoke(id);
    await turn();
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-0");
    fixture.trainer.started();
    fixture.trainer.ended("succeeded", 100);
    expect((await next).status).toBe("succeeded");
    expect(() => invoke(id)).toThrow("succeeded");
  });

  test("is paused and cancelled like any other", async () => {
    fixture = await Fixture.open();
    const busy = await fixture.run();
    const id = await fixture.run({ drive: "invoke" });
    const call = invoke(id);
    fixture.reverie.runner.act("pause", id);
    expect(await call).toMatchObject({ from_step: 0, to_step: 0, status: "paused" });
    expect(() => invoke(id)).toThrow("paused");
    fixture.reverie.runner.act("resume", id);
    const second = invoke(id);
    fixture.trainer.ended("succeeded", 100);
    expect(statuses([busy, id])).toEqual(["succeeded", "running"]);
    fixture.reverie.runner.act("cancel", id);
    fixture.trainer.ended("cancelled", 3);
    expect((await second).status).toBe("cancelled");
    const other = await fixture.run();
    expect(() => invoke(other)).toThrow("by itself");
  });
});

describe("the trainer", () => {
  test("is closed after a while without a run, and opened for the next", async () => {
    fixture = await Fixture.open({ settings: { idleSeconds: 0.02 } });
    await waitFor("the trainer to be closed", () => fixture.trainer.closed);
    const id = await fixture.run();
    await turn();
    expect(fixture.trainers).toHaveLength(2);
    expect(runOf(id).status).toBe("running");
    const began = performance.now();
    await waitFor("longer than the idle time", () => performance.now() > began + 50);
    expect(fixture.trainer.closed).toBe(false);
  });

  test("that says nothing for too long is taken for hung", async () => {
    fixture = await Fixture.open({ settings: { hangSeconds: 0.5 } });
    const id = await fixture.run({ model: { n_layer: 1, n_head: 1, n_embd: 8 }, context_length: 8, batch_size: 1 });
    const { trainer } = fixture;
    trainer.started();
    await waitFor("the trainer to be given up", () => trainer.closed, { timeoutMs: 10_000 });
    expect(fixture.events(id).at(-1)).toMatchObject({
      type: "run.interrupted",
      data: { cause: expect.stringContaining("hung") },
    });
    await turn();
    expect(runOf(id)).toMatchObject({ status: "running", attempts: 1 });
  });

  test("whose device does not come back is tried for again", async () => {
    fixture = await Fixture.open();
    const id = await fixture.run();
    fixture.nextReport = { type: "no_device", message: "the driver resets" };
    fixture.trainer.crash();
    await turn();
    expect(fixture.reverie.runner.device.status).toBe("ready");
    expect(runOf(id)).toMatchObject({ status: "running", attempts: 1 });
    expect(fixture.trainers).toHaveLength(3);
  });
});
