import { afterEach, beforeEach, expect, test } from "bun:test";
import { nextTurn } from "#src/turns.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const STEPS = 30_000;

/** A finished run with many points and events, as its trainer would have left it. */
async function longRun(): Promise<string> {
  const id = await fixture.run();
  fixture.reverie.runner.act("cancel", id);
  fixture.trainer.ended("cancelled", 0);
  const { $client } = fixture.reverie.db;
  const steps = `with recursive at (step) as (values (1) union all select step + 1 from at where step < ${STEPS})`;
  const { key } = $client.prepare("insert into run_keys (run_id) values (?) returning key").get(id) as { key: number };
  $client.prepare(`${steps} insert into train_points (run_key, step, loss) select ?, step, 1 from at`).run(key);
  $client.prepare(`${steps} insert into val_points (run_key, step, loss) select ?, step, 1 from at`).run(key);
  $client.prepare(`${steps} insert into events (run_id, type, timestamp, data)
    select ?, 'run.progress', '2026', '{}' from at where step <= 2000`).run(id);
  return id;
}

function count(table: string): number {
  return fixture.reverie.db.$client.prepare(`select count(*) from ${table}`).pluck().get() as number;
}

test("a deleted run is gone at once; its points and events go in slices, and no others", async () => {
  const [id, other] = [await longRun(), await longRun()];
  await fixture.reverie.runner.remove(id);
  expect((await fixture.app.request(`/api/runs/${id}`)).status).toBe(404);
  expect((await fixture.app.request(`/api/runs/${id}/metrics`)).status).toBe(404);
  expect(count("train_points")).toBeGreaterThan(STEPS); // the answer does not wait for the removal
  let turns = 0;
  for (; count("removals") > 0; turns++) await nextTurn();
  expect(turns).toBeGreaterThan(10);
  expect([count("train_points"), count("val_points"), count("run_keys")]).toEqual([STEPS, STEPS, 1]);
  expect(fixture.events(id).map(({ type }) => type)).toEqual(["run.deleted"]);
  expect(fixture.events(other)).toHaveLength(1000);
});

test("a removal that the end of the process cut off is continued by the next start", async () => {
  const id = await longRun();
  await fixture.reverie.runner.remove(id);
  while (count("train_points") === STEPS) await nextTurn();
  await fixture.reverie.removals.close();
  expect(count("train_points")).toBeGreaterThan(0);
  await fixture.boot();
  await fixture.reverie.removals.settle();
  expect(["train_points", "val_points", "events", "run_keys", "removals"].map(count)).toEqual([0, 0, 1, 0, 0]);
  expect(fixture.events(id).map(({ type }) => type)).toEqual(["run.deleted"]);
});

test("what is told of a deletion outlives the run, and no later run gets the points of a deleted one", async () => {
  const id = await longRun();
  const { db, events, removals, metrics } = fixture.reverie;
  await fixture.reverie.runner.remove(id);
  events.append(id, "run.cancelled", { deleted: true });
  const next = await fixture.run();
  metrics.setValPoint(next, { step: 7, loss: 1, perplexity: 2, bpb: 3 });
  await removals.settle();
  expect(fixture.events(id).map(({ data }) => data)).toEqual([{ name: "sample" }, { deleted: true }]);
  expect(db.$client.prepare("select step from val_points").pluck().all()).toEqual([7]);
});
