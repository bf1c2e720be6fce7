import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Checkpoint, Event } from "../server/client.ts";
import { lossesOf, retrace } from "./history.ts";

/** Where the next server goes on. */
export interface Remains {
  lastSequence: number;
  /** The most crashes in a row that a run which is not over had without a new checkpoint. */
  stalledAttempts: number;
  /** The most deaths of the process that are counted against such a run, this one included. */
  processDeaths: number;
}

export const NOTHING: Remains = { lastSequence: 0, stalledAttempts: 0, processDeaths: 0 };

/** Reads a copy: opening a database that was not closed changes it, and the next server is to find what was left. */
export function readRemains<T>(dataFolder: string, read: (db: Database) => T): T {
  const copy = mkdtempSync(join(tmpdir(), "reverie-remains-"));
  try {
    for (const name of ["reverie.db", "reverie.db-wal"]) {
      if (existsSync(join(dataFolder, name))) copyFileSync(join(dataFolder, name), join(copy, name));
    }
    using db = new Database(join(copy, "reverie.db"));
    expect(db.query("pragma integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    return read(db);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/**
 * What a dead server left on disk, before another puts it in order: a database in which points, events and rows agree,
 * and for each row of a checkpoint a folder that is whole. Folders without a row may be in any state.
 */
export function checkRemains(dataFolder: string): Remains {
  return readRemains(dataFolder, (db) => {
    expect(db.query("pragma foreign_key_check").all()).toEqual([]);
    // Killed before its first migration.
    if (db.query("select 1 from sqlite_master where name = 'runs'").get() === null) return NOTHING;
    checkRuns(db);
    checkCheckpoints(db, join(dataFolder, "checkpoints"));
    return db.query<Remains, []>(`
      select (select coalesce(max(sequence), 0) from events) as lastSequence,
        (select coalesce(max(stalled_attempts), 0) from runs where status in ('queued', 'running')) as stalledAttempts,
        (select coalesce(max(process_deaths + death_counts), 0) from runs where status in ('queued', 'running'))
          as processDeaths
    `).get()!;
  });
}

function checkRuns(db: Database): void {
  const runs = db.query<{ id: string; status: string; step: number }, []>("select id, status, step from runs").all();
  expect(runs.filter(({ status }) => status === "running").length).toBeLessThanOrEqual(1);
  for (const { id, step } of runs) {
    const events = db.query<Omit<Event, "data"> & { data: string }, [string]>(
      "select * from events where run_id = ? order by sequence",
    ).all(id).map((event) => ({ ...event, data: JSON.parse(event.data) } as Event));
    const history = retrace(events);
    type Point = { step: number; loss: number };
    const points = db.query<Point, [string]>(
      "select step, loss from train_points join run_keys on key = run_key where run_id = ? order by step",
    );
    const losses = { steps: [] as number[], values: [] as unknown[] };
    for (const { step, loss } of points.all(id)) losses.steps.push(step), losses.values.push(loss);
    expect(losses).toEqual(lossesOf(history));
    expect(step).toBe(losses.steps.length);
  }
}

function checkCheckpoints(db: Database, root: string): void {
  const rows = db.query<{ run_id: string; directory: string; files: string }, []>("select * from checkpoints").all();
  for (const { run_id, directory, files } of rows) {
    const found = (JSON.parse(files) as Checkpoint["files"]).map(({ name }) => {
      const path = join(root, run_id, directory, name);
      if (!existsSync(path)) throw new Error(`the checkpoint ${directory} has a row and no ${name}`);
      const bytes = readFileSync(path);
      return { name, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    });
    expect(found).toEqual(JSON.parse(files));
  }
}

/** Folders of checkpoints under their final names and others, as `<run>/<name>`; a start removes what no row knows. */
export function checkpointFolders(dataFolder: string): string[] {
  const root = join(dataFolder, "checkpoints");
  return readdirSync(root).flatMap((run) => readdirSync(join(root, run)).map((name) => `${run}/${name}`));
}
