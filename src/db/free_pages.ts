import { Turns } from "../turns.ts";
import { type Database, withoutSync } from "./client.ts";

/** Pages that stay: new rows take them without growing the file. 4 MiB at SQLite's 4 KiB a page. */
const KEPT_PAGES = 1024;
/** Pages given back in one statement. 256 took 0.3–1.4 ms. */
const SLICE_PAGES = 256;

/**
 * Gives the pages that deletions left free back to the file system, down to a reserve, in slices between which others
 * get their turn. The file itself shrinks at the write-ahead log's next checkpoint, which this asks for at the end.
 * @param goOn is asked before each slice
 * @returns how many pages were given back
 */
export async function giveBackFreePages(
  db: Database,
  { keptPages = KEPT_PAGES, goOn = () => true }: { keptPages?: number; goOn?: () => boolean } = {},
): Promise<number> {
  const sqlite = db.$client;
  const countFree = () => sqlite.pragma("freelist_count", { simple: true }) as number;
  const turns = new Turns();
  const before = countFree();
  let free = before;
  while (free > keptPages && goOn()) {
    const pages = Math.min(SLICE_PAGES, free - keptPages);
    withoutSync(db, () => sqlite.pragma(`incremental_vacuum(${pages})`));
    const left = countFree();
    if (left >= free) break; // a database without `auto_vacuum`
    free = left;
    await turns.give();
  }
  if (free < before && goOn()) sqlite.pragma("wal_checkpoint(PASSIVE)");
  return Math.max(0, before - free);
}
