import { afterAll, beforeAll, expect, test } from "bun:test";
import type { EventType } from "#src/db/schema.ts";
import { METRIC_NAMES } from "#src/runs/metric_store.ts";
import { Reading } from "#src/runs/reading.ts";
import { Fixture } from "./runs/fixture.ts";

let fixture: Fixture;
let runId: string;
beforeAll(async () => {
  fixture = await Fixture.open();
  runId = await fixture.run();
  fixture.reverie.events.append(runId, "run.sampled", {});
  fixture.trainer.started();
  fixture.trainer.progress(1, 10);
  fixture.trainer.evaluated(10, 2);
  fixture.reverie.webhooks.create("https://ci.example.com/", ["run.failed"]);
});
afterAll(() => fixture.close());

/** Every statement that `work` prepares, and SQLite's plan for it, a step a line. */
async function plansOf(work: () => unknown): Promise<{ sql: string; plan: string[] }[]> {
  const { $client } = fixture.reverie.db;
  const prepare = $client.prepare.bind($client);
  const statements: string[] = [];
  $client.prepare = ((sql: string) => {
    statements.push(sql);
    return prepare(sql);
  }) as typeof $client.prepare;
  try {
    await work();
  } finally {
    $client.prepare = prepare as typeof $client.prepare;
  }
  return statements.filter((sql) => /^\s*(select|delete|update|with)/i.test(sql)).map((sql) => {
    const parameters = Array.from({ length: sql.split("?").length - 1 }, () => 1);
    const steps = prepare(`explain query plan ${sql}`).all(...parameters) as { detail: string }[];
    return { sql, plan: steps.map(({ detail }) => detail) };
  });
}

const SAMPLED: EventType[] = ["run.sampled"];
const TURNS: EventType[] = ["run.sampled", "run.started", "run.failed"];
const page = { after: null, limit: 20 };

/** Queries over tables that grow with the steps, the runs or the calls; each reads by an index, in its index's order. */
const QUERIES: Record<string, () => unknown> = {
  "runs of a status": () => fixture.reverie.runs.list({ statuses: ["failed"] }, page),
  "runs of several statuses": () => fixture.reverie.runs.list({ statuses: ["failed", "succeeded"] }, page),
  "runs of a status, a later page": () =>
    fixture.reverie.runs.list({ statuses: ["failed", "succeeded"] }, { ...page, after: "run_1" }),
  "runs of several statuses, oldest first, by name": () =>
    fixture.reverie.runs.list({ statuses: ["failed", "succeeded"], q: "a" }, { ...page, after: "run_1", order: "asc" }),
  "runs that train": () => fixture.reverie.runs.withStatus("running"),
  "the head of the queue": () => fixture.reverie.runs.nextQueued(),
  "the queue's length": () => fixture.reverie.runs.queueLength(),
  "runs that wait for storage": () => fixture.reverie.runs.waitingForStorage(),
  "events of a run": () => fixture.reverie.events.list({ runId }, { ...page, order: "asc" }),
  "events of a run, backwards": () => fixture.reverie.events.list({ runId }, { ...page, after: 9, order: "desc" }),
  "events of a type": () => fixture.reverie.events.list({ types: SAMPLED }, { ...page, order: "desc" }),
  "events of several types": () => fixture.reverie.events.list({ types: TURNS }, { ...page, after: 1, order: "asc" }),
  "a run's events of a type": () => fixture.reverie.events.list({ runId, types: SAMPLED }, { ...page, order: "asc" }),
  "a run's events of several types": () =>
    fixture.reverie.events.list({ runId, types: TURNS }, { ...page, order: "desc" }),
  "a page of a run's events of several types": () =>
    fixture.reverie.events.page({ runId, types: TURNS }, { ...page, order: "desc" }),
  "whether a run has events that a client has not seen": () => {
    fixture.reverie.events.hasAfter({ runId }, 1);
    fixture.reverie.events.hasAfter({ runId, types: TURNS }, 1);
  },
  "datasets": () => fixture.reverie.datasets.list(page),
  "a replay of several types": async () => {
    fixture.reverie.events.append(runId, "run.sampled", {});
    const follower = fixture.reverie.events.follow({ runId, types: TURNS }, 0);
    await follower.next();
    follower.leave();
  },
  "the last sequence": () => fixture.reverie.events.lastSequence(),
  "points": () => fixture.points(runId, METRIC_NAMES, 0, 100),
  "buckets": () => fixture.reverie.metrics.curve(runId, "train/loss", 0, 100).buckets(5, new Reading()),
  "extremes": () => fixture.reverie.metrics.curve(runId, "val/loss", 0, 100).extremes(5, new Reading()),
  "the best evaluation": () => fixture.reverie.metrics.bestValLoss(runId, 100),
  "points past a step": () => fixture.reverie.metrics.dropAfter(runId, 50),
  "deliveries that are due": () => fixture.reverie.webhooks.nextDue("2026", { deliveries: ["a"], endpoints: ["b"] }),
  "when the next delivery is due": () => fixture.reverie.webhooks.nextTime("2026"),
  "deliveries past their time": () => fixture.reverie.webhooks.prune(),
  "idempotency keys past their time": () => fixture.reverie.idempotency.prune(),
  "removal of a deleted run": async () => {
    const id = await fixture.run();
    fixture.reverie.runner.act("cancel", id);
    await fixture.reverie.runner.remove(id);
    await fixture.reverie.removals.settle();
  },
};

/** Queries for which an index would be in order that reads too much. */
const INDICES: Record<string, string> = {
  "events of a type": "events_type",
  "a run's events of a type": "events_run_type",
  "a run's events of several types": "events_run_type",
  "deliveries past their time": "webhook_deliveries_age",
  "idempotency keys past their time": "idempotency_keys_age",
  "the best evaluation": "val_points_best",
};

const GROWING = /SCAN (runs|events|train_points|val_points|webhook_deliveries|idempotency_keys)\b/;

for (const [name, query] of Object.entries(QUERIES)) {
  test(`${name}: by an index, and nothing is sorted`, async () => {
    const plans = await plansOf(query);
    expect(plans).not.toBeEmpty();
    const bad = plans.filter(({ plan }) => plan.some((step) => GROWING.test(step) || step.includes("TEMP B-TREE")));
    expect(bad).toEqual([]);
    const index = INDICES[name];
    if (index !== undefined) expect(plans.flatMap(({ plan }) => plan).join("\n")).toContain(`${index} `);
  });
}

test("what one webhook has waiting is not read for another's", async () => {
  const plans = await plansOf(() => fixture.reverie.webhooks.nextDue("2026", { deliveries: [], endpoints: [] }));
  const steps = plans.flatMap(({ plan }) => plan).filter((step) => step.includes("webhook_deliveries"));
  expect(steps).toEqual([
    expect.stringContaining("webhook_deliveries_of_webhook_due (webhook_id=? AND status=? AND next_attempt_at<?)"),
  ]);
});
