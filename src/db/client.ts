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
  // A row promises that a file is whole and a 202 promises a queued run: both must outlive a power cut, so each commit
  // is synced (FULL). At a few commits a second that costs nothing measurable.
  sqlite.pragma("journal_mode = WAL");
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = ON");
  sqlite.pragma("busy_timeout = 5000");
  const db = drizzle(sqlite, { schema });
  migrate(db, { migrationsFolder: MIGRATIONS });
  return db;
}
