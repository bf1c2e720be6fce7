import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run } from "../server/client.ts";
import { waitFor } from "../support/wait_for.ts";
import { Lives } from "./lives.ts";
import { makeOldDatabase, migrations, oldRunId, schemaOf } from "./old_database.ts";
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
      if (![before, after].some((state) => Bun.deepEquals(state, killed))) {
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
