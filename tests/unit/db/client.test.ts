import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, makeShrinkable, openDatabase } from "#src/db/client.ts";
import { giveBackFreePages } from "#src/db/free_pages.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "reverie-db-"));
  path = join(folder, "reverie.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Fills a table with about `mib` MiB and empties it again. */
function fillAndEmpty(sqlite: SqliteDatabase.Database, mib: number): void {
  sqlite.exec("create table if not exists filler (bytes blob)");
  const insert = sqlite.prepare("insert into filler values (randomblob(65536))");
  sqlite.transaction(() => {
    for (let i = 0; i < 16 * mib; i++) insert.run();
  })();
  sqlite.exec("delete from filler");
}

const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
const countFree = (db: Database) => db.$client.pragma("freelist_count", { simple: true }) as number;

test("a transaction that reads before it writes waits for another process's write instead of failing", () => {
  const db = openDatabase(path);
  const other = new SqliteDatabase(path);
  try {
    db.$client.pragma("busy_timeout = 0"); // whoever has to wait, fails at once
    other.exec("begin immediate");
    let began = false;
    const attempt = () =>
      db.transaction(() => {
        began = true;
        db.$client.prepare("select count(*) from runs").get();
      });
    expect(attempt).toThrow("database is locked");
    // Nothing was read of what the other process may be changing: the wait is for the lock, which a timeout bounds.
    expect(began).toBe(false);
    other.exec("commit");
    attempt();
    expect(began).toBe(true);
  } finally {
    other.close();
    db.$client.close();
  }
});

test("transactions still nest, and an inner one that fails takes back only itself", () => {
  const db = openDatabase(path);
  try {
    db.$client.exec("create table t (a)");
    db.transaction(() => {
      db.$client.exec("insert into t values (1)");
      expect(() =>
        db.transaction(() => {
          db.$client.exec("insert into t values (2)");
          throw new Error("inner");
        })
      ).toThrow("inner");
    });
    expect(db.$client.prepare("select a from t").all()).toEqual([{ a: 1 }]);
  } finally {
    db.$client.close();
  }
});

test("the write-ahead log is cut back after a reader has held it", () => {
  const db = openDatabase(path);
  const reader = new SqliteDatabase(path, { readonly: true });
  try {
    db.$client.exec("create table t (a); insert into t values (1)");
    reader.exec("begin");
    reader.prepare("select * from t").all();
    for (let i = 0; i < 4; i++) fillAndEmpty(db.$client, 16); // in the log only, as long as somebody reads
    const grown = sizeOf(`${path}-wal`);
    expect(grown).toBeGreaterThan(2 ** 25);
    reader.exec("commit");
    // One commit copies the log into the database, and the next begins it anew.
    for (let i = 0; i < 3; i++) db.$client.exec("insert into t values (2)");
    expect(sizeOf(`${path}-wal`)).toBeLessThanOrEqual(2 ** 24);
  } finally {
    reader.close();
    db.$client.close();
  }
});

test("the file shrinks when free pages are given back, down to a reserve, while others get their turn", async () => {
  const db = openDatabase(path);
  try {
    expect(makeShrinkable(db)).toBe(false);
    fillAndEmpty(db.$client, 48);
    db.$client.pragma("wal_checkpoint(TRUNCATE)");
    const before = sizeOf(path);
    const free = countFree(db);
    expect(before).toBeGreaterThan(48 * 2 ** 20);
    const given = await giveBackFreePages(db, { keptPages: 100 });
    expect(given).toBe(free - 100);
    expect(countFree(db)).toBe(100);
    db.$client.pragma("wal_checkpoint(TRUNCATE)");
    // SQLite's maps of pointers, one page for each 819 others, go besides.
    expect(sizeOf(path)).toBeLessThanOrEqual(before - given * 4096);
    expect(db.$client.pragma("integrity_check", { simple: true })).toBe("ok");

    fillAndEmpty(db.$client, 8);
    let slices = 0;
    await giveBackFreePages(db, { keptPages: 0, goOn: () => ++slices <= 2 });
    expect(countFree(db)).toBeGreaterThan(0); // it was stopped
  } finally {
    db.$client.close();
  }
});

test("a database made without auto_vacuum is rewritten once, and then shrinks", async () => {
  const old = new SqliteDatabase(path);
  old.pragma("auto_vacuum = NONE");
  old.exec("create table filler (bytes blob)");
  old.exec("create table kept (a)");
  old.exec("insert into kept values (7)");
  old.close();
  const db = openDatabase(path);
  try {
    expect(db.$client.pragma("auto_vacuum", { simple: true })).toBe(0);
    fillAndEmpty(db.$client, 8);
    expect(await giveBackFreePages(db, { keptPages: 0 })).toBe(0);
    expect(makeShrinkable(db)).toBe(true);
    expect(makeShrinkable(db)).toBe(false);
    expect(db.$client.prepare("select a from kept").all()).toEqual([{ a: 7 }]);
    fillAndEmpty(db.$client, 8);
    expect(await giveBackFreePages(db, { keptPages: 0 })).toBeGreaterThan(1000);
    expect(countFree(db)).toBe(0);
  } finally {
    db.$client.close();
  }
});
