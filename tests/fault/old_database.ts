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

/** Gives the first runs of an old database a week's history each: `steps` points, an evaluation every 250, an event every 5. */
export function addOldHistory(dataFolder: string, runs: number, steps: number): void {
  using db = new Database(join(dataFolder, "reverie.db"));
  db.run("pragma synchronous = OFF"); // the test's own time
  const every = (n: number) =>
    `with recursive at (step) as (values (${n}) union all select step + ${n} from at where step < $steps)`;
  for (let i = 0; i < runs; i++) {
    const parameters = { $run: oldRunId(i), $steps: steps };
    db.query(`${every(1)} insert into train_points
      select $run, step, 3.1 + 1.0 / step, 1e-3 - 1e-10 * step, iif(step % 1000, 0.7 + 1.0 / step, null),
        12345.6 + step % 97, 100.1 + step % 13, 0.1, step * 1.23e-3 from at`).run(parameters);
    db.query(`${every(250)} insert into val_points select $run, step, 3 + 1.0 / step, 20.1, 1.2 from at`).run(
      parameters,
    );
    db.query(`${every(5)} insert into events (run_id, type, timestamp, data)
      select $run, 'run.progress', '2026-01-01T00:00:00.000Z', json_object('step', step, 'text', hex(zeroblob(100)))
      from at`).run(parameters);
  }
}

/** Sorts as the i-th. */
export function oldRunId(i: number): string {
  return `run_${String(i).padStart(26, "0")}`;
}
