import { fileURLToPath } from "node:url";
import SqliteDatabase from "better-sqlite3";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import * as schema from "./schema.ts";

/**
 * One connection for the process. Calls are synchronous, so what happens inside one `transaction()` is atomic against
 * every other request too, and transactions nest (as savepoints) without being handed around.
 */
export type Database = BetterSQLite3Database<typeof schema> & { $client: SqliteDatabase.Database };

const MIGRATIONS = fileURLToPath(new URL("../../migrations", import.meta.url));

/** Opens `path` (or ":memory:") and brings it to the newest schema. */
export function openDatabase(path: string): Database {
  const sqlite = new SqliteDatabase(path);
  // A row promises that a file is whole and a 202 promises a queued run: both must outlive a power cut, so commits are
  // synced (FULL), all but those of `transactionOfRepeatable`.
  sqlite.pragma("journal_mode = WAL");
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = ON");
  // Calls block the thread; what must be written is tried again (`PatientWriter`).
  sqlite.pragma("busy_timeout = 1000");
  const db = drizzle(sqlite, { schema });
  migrate(db, { migrationsFolder: MIGRATIONS });
  return db;
}

/**
 * A transaction that does not wait for the disk: for what a power cut may take because it would be made again, as the
 * steps since a run's last checkpoint are. What is committed stays in order, and the process may die at any moment.
 * A sync beside a checkpoint being written was seen to hold the thread for seconds. Not within another transaction.
 */
export function transactionOfRepeatable<T>(db: Database, work: () => T): T {
  db.$client.pragma("synchronous = NORMAL");
  try {
    return db.transaction(work);
  } finally {
    db.$client.pragma("synchronous = FULL");
  }
}
