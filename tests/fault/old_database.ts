import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/deno.ts";

/** Migrations in order, as drizzle-kit keeps them. */
export function migrations(): { tag: string; when: number; sql: string }[] {
  type Journal = { entries: { tag: string; when: number }[] };
  const { entries } = JSON.parse(readFileSync(`${ROOT}migrations/meta/_journal.json`, "utf8")) as Journal;
  return entries.map(({ tag, when }) => ({ tag, when, sql: readFileSync(`${ROOT}migrations/${tag}.sql`, "utf8") }));
}

/** What made a database's tables and indices. */
export function schemaOf(db: Database): string[] {
  const rows = db.query<{ sql: string }, []>(
    "select sql from sqlite_master where sql is not null and name not like '%drizzle%' order by name",
  ).all();
  return rows.map(({ sql }) => sql);
}

/** A database as the first version's server left it, with many finished runs, in a new data folder. */
export function makeOldDatabase(dataFolder: string, runs: number): void {
  const [{ sql, when }] = migrations();
  mkdirSync(dataFolder, { recursive: true });
  using db = new Database(join(dataFolder, "reverie.db"));
  db.run("pragma journal_mode = WAL");
  for (const statement of sql.split("--> statement-breakpoint")) db.run(statement);
  // What Drizzle's migrator remembers.
  db.run("create table __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)");
  const hash = createHash("sha256").update(sql).digest("hex");
  db.query("insert into __drizzle_migrations (hash, created_at) values (?, ?)").run(hash, when);
  const run = db.query(`
    insert into runs (id, name, status, config, tags, step, max_steps, parameters, created_at, finished_at)
    values (?, ?, 'succeeded', ?, '{}', 100, 100, 4528, ?, ?)`);
  const event = db.query("insert into events (run_id, type, timestamp, data) values (?, 'run.succeeded', ?, '{}')");
  const at = "2026-01-01T00:00:00.000Z";
  db.transaction(() => {
    for (let i = 0; i < runs; i++) {
      const id = oldRunId(i);
      run.run(id, `old ${i}`, JSON.stringify({ name: `old ${i}`, dataset: "sample" }), at, at);
      event.run(id, at);
    }
  })();
}

/** Sorts as the i-th. */
export function oldRunId(i: number): string {
  return `run_${String(i).padStart(26, "0")}`;
}
