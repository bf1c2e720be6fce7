import { expect, test } from "bun:test";
import type { Database } from "bun:sqlite";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run } from "../server/client.ts";
import { waitFor } from "../support/wait_for.ts";
import { Lives } from "./lives.ts";
import { addOldHistory, makeOldDatabase, migrations, oldRunId, schemaOf } from "./old_database.ts";
import { readRemains } from "./remains.ts";
import { delay, randomOf } from "./seed.ts";

/** Building the index over so many takes SQLite a good part of the migration's time. */
const RUNS = 50_000;
const KILLS = 6;

/** Migrations that a killed server's database has, by Drizzle's book and by its schema. */
function migrated(dataFolder: string): { booked: number; schema: string[] } {
  return readRemains(dataFolder, (db) => {
    const { booked } = db.query<{ booked: number }, []>("select count(*) as booked from __drizzle_migrations").get()!;
    return { booked, schema: schemaOf(db) };
  });
}

test("a server killed in a migration has made it or not, and the next one makes it", async () => {
  const random = randomOf(2);
  const root = mkdtempSync(join(tmpdir(), "reverie-migration-"));
  const old = join(root, "old");
  try {
    makeOldDatabase(old, RUNS);
    const before = migrated(old);
    const undisturbed = join(root, "undisturbed");
    cpSync(old, undisturbed, { recursive: true });
    await using calm = new Lives({ dataFolder: undisturbed });
    await calm.begin();
    await calm.stop();
    const after = migrated(undisturbed);
    expect(before.booked).toBe(1);
    expect(after.booked).toBe(migrations().length);

    for (let kill = 0; kill < KILLS; kill++) {
      const dataFolder = join(root, `killed-${kill}`);
      cpSync(old, dataFolder, { recursive: true });
      await using lives = new Lives({ dataFolder });
      lives.spawn();
      // Nothing is read or written before.
      await waitFor("the database opened", () => existsSync(join(dataFolder, "reverie.db-shm")), { everyMs: 0 });
      await delay(random.below(120));
      await lives.kill();
      const killed = migrated(dataFolder);
      // The rows of tables that were set aside may still be on their way.
      const state = { ...killed, schema: killed.schema.filter((line) => !/^CREATE TABLE "old_/.test(line)) };
      if (![before, after].some((known) => Bun.deepEquals(known, state))) {
        const lacking = after.schema.filter((line) => !killed.schema.includes(line));
        throw new Error(`${killed.booked} migrations are booked, and the schema lacks ${lacking.join("\n")}`);
      }

      const client = await lives.begin();
      for (const i of [0, random.below(RUNS), RUNS - 1]) {
        const run = await client.get<Run & { name: string }>(`/api/runs/${oldRunId(i)}`);
        expect(run).toMatchObject({ name: `old ${i}`, status: "succeeded", step: 100 });
        expect(await client.events(run.id)).toHaveLength(1);
      }
      await lives.stop();
      expect(migrated(dataFolder)).toEqual(after);
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 120_000);

const LONG_RUNS = 3;
const STEPS = 1_000_000;
const TABLES = ["train_points", "val_points", "events"] as const;

/** Rows of old and new tables together, and sums that change if one were lost, doubled or altered. */
function contents(db: Database) {
  const names = db.query<{ name: string }, []>("select name from sqlite_master").all().map(({ name }) => name);
  const moving = TABLES.filter((table) => names.includes(`old_${table}`));
  const sum = (table: string, columns: string) =>
    [table, `old_${table}`].filter((name) => names.includes(name))
      .map((name) => db.query<Record<string, number>, []>(`select ${columns} from ${name}`).get()!)
      .reduce((a, b) => Object.fromEntries(Object.keys(a).map((key) => [key, (a[key] ?? 0) + (b[key] ?? 0)])));
  return {
    moving,
    train: sum(
      "train_points",
      "count(*) as n, sum(step) as steps, count(grad_norm) as norms, sum(step * (step % 7)) as mix",
    ),
    val: sum("val_points", "count(*) as n, sum(step) as steps"),
    events: sum("events", "count(*) as n, sum(sequence) as sequences, sum(length(data)) as bytes"),
  };
}

test("3 million points are moved to the new tables, whenever the server is killed", async () => {
  const root = mkdtempSync(join(tmpdir(), "reverie-points-"));
  try {
    makeOldDatabase(root, LONG_RUNS);
    addOldHistory(root, LONG_RUNS, STEPS);
    const { moving: _, ...before } = readRemains(root, contents);
    expect(before.train.n).toBe(LONG_RUNS * STEPS);
    await using lives = new Lives({ dataFolder: root });
    for (const table of ["train_points", "events"] as const) { // evaluations are moved in a moment
      const server = lives.spawn();
      await waitFor(`${table} on their way`, () => server.stderr.includes(`rows of ${table}`), { timeoutMs: 60_000 });
      await lives.kill();
      const { moving, ...killed } = readRemains(root, contents);
      expect(moving).toContain(table);
      expect(killed).toEqual(before);
    }
    const client = await lives.begin();
    const curve = await client.get<{ series: Record<string, { steps: number[]; values: (number | null)[] }> }>(
      `/api/runs/${oldRunId(1)}/metrics?name=train/loss&name=train/grad_norm&from_step=999999`,
    );
    expect(curve.series["train/loss"]).toMatchObject({
      steps: [999_999, STEPS],
      values: [3.1 + 1 / 999_999, 3.1 + 1 / STEPS],
    });
    expect(curve.series["train/grad_norm"].values).toEqual([0.7 + 1 / 999_999, null]);
    await lives.stop();
    const { moving, ...after } = readRemains(root, contents);
    expect(moving).toEqual([]);
    expect(after).toEqual(before);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 300_000);
