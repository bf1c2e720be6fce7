import { fileURLToPath } from "node:url";
import SqliteDatabase from "better-sqlite3";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { finishMoves } from "./moves.ts";
import * as schema from "./schema.ts";

/**
 * One connection for the process. Calls are synchronous, so what happens inside one `transaction()` is atomic against
 * every other request too, and transactions nest (as savepoints) without being handed around.
 */
export type Database = BetterSQLite3Database<typeof schema> & { $client: SqliteDatabase.Database };

const MIGRATIONS = fileURLToPath(new URL("../../migrations", import.meta.url));

/** The write-ahead log is cut back to this size once its content is in the database: 16 MiB. */
const WAL_LIMIT_BYTES = 2 ** 24;
const BUSY_TIMEOUT_MS = 1000;
/** For whoever tries again later, with turns for everybody else in between. */
const SHORT_BUSY_TIMEOUT_MS = 50;
/** SQLite's number for `auto_vacuum = INCREMENTAL`. */
const INCREMENTAL = 2;

/**
 * Opens `path` (or ":memory:") and brings it to the newest schema.
 * @param tell hears of a migration that takes more than a second
 */
export function openDatabase(path: string, tell: (line: string) => void = () => {}): Database {
  const sqlite = new SqliteDatabase(path);
  // Before anything writes the first page, which decides it. An existing database needs `makeShrinkable` besides.
  sqlite.pragma("auto_vacuum = INCREMENTAL");
  // A row promises that a file is whole and a 202 promises a queued run: both must outlive a power cut, so commits are
  // synced (FULL), all but those of `transactionOfRepeatable`.
  sqlite.pragma("journal_mode = WAL");
  sqlite.pragma(`journal_size_limit = ${WAL_LIMIT_BYTES}`);
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = ON");
  // A wait for another process's write blocks the thread, requests included.
  sqlite.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  const db = beginImmediately(drizzle(sqlite, { schema }));
  migrate(db, { migrationsFolder: MIGRATIONS });
  finishMoves(sqlite, tell);
  return db;
}

/**
 * Makes every transaction take the write lock when it begins. One that takes it at its first write, after it has read,
 * fails at once if another process (a backup, a `sqlite3` shell) is writing: SQLite does not wait `busy_timeout` then,
 * because the transaction would write over what it has not seen.
 */
function beginImmediately(db: Database): Database {
  const transaction = db.transaction.bind(db);
  db.transaction = (work, config) => transaction(work, { behavior: "immediate", ...config });
  return db;
}

/**
 * Rewrites a database that was made without `auto_vacuum`, once, so that `giveBackFreePages` can shrink it. SQLite needs
 * twice the database's size of free disk for that.
 * @returns whether it had to
 */
export function makeShrinkable(db: Database): boolean {
  if (db.$client.pragma("auto_vacuum", { simple: true }) === INCREMENTAL) return false;
  db.$client.pragma("auto_vacuum = INCREMENTAL");
  db.$client.exec("VACUUM");
  db.$client.pragma("wal_checkpoint(TRUNCATE)");
  return true;
}

/**
 * A transaction that does not wait for the disk: for what a power cut may take because it would be made again, as the
 * steps since a run's last checkpoint are. What is committed stays in order, and the process may die at any moment.
 * A sync beside a checkpoint being written was seen to hold the thread for seconds. Not within another transaction.
 */
export function transactionOfRepeatable<T>(db: Database, work: () => T): T {
  return withoutSync(db, () => db.transaction(work));
}

/** Runs `work` with commits that do not wait for the disk. Not within a transaction. */
export function withoutSync<T>(db: Database, work: () => T): T {
  return withPragma(db, { during: "synchronous = NORMAL", after: "synchronous = FULL" }, work);
}

/** Runs `work` with transactions that give up soon if another process is writing: for a caller that tries again. */
export function withoutLongWait<T>(db: Database, work: () => T): T {
  const timeout = (ms: number) => `busy_timeout = ${ms}`;
  return withPragma(db, { during: timeout(SHORT_BUSY_TIMEOUT_MS), after: timeout(BUSY_TIMEOUT_MS) }, work);
}

function withPragma<T>(db: Database, { during, after }: { during: string; after: string }, work: () => T): T {
  db.$client.pragma(during);
  try {
    return work();
  } finally {
    db.$client.pragma(after);
  }
}
