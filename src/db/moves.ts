import type SqliteDatabase from "better-sqlite3";

/** Rows of one transaction: a quarter of a second, and what a full disk or a kill costs at most. */
const SLICE_ROWS = 25_000;
/** A start that takes longer says why, and again after each such while. */
const TELL_MS = 1000;

/** Values that are not finite were always shown as null; some were stored as infinities. */
const finite = (column: string) => `iif(abs(${column}) <= 1.7976931348623157e308, ${column}, null)`;
const points = (columns: string[]) => ({
  into: `run_key, step, ${columns.join(", ")}`,
  select: `run_keys.key, step, ${columns.map(finite).join(", ")}`,
  join: "join run_keys using (run_id)",
});

const EVENT_COLUMNS = "sequence, run_id, type, timestamp, data";

/**
 * Tables that a migration renamed to `old_…`, and how their rows become rows of the new ones. Those that shrink go first:
 * events have more indices than before, which then take the room that the points gave up.
 */
const MOVES: Record<string, { into: string; select: string; join: string }> = {
  val_points: points(["loss", "perplexity", "bpb"]),
  train_points: points(["loss", "lr", "grad_norm", "tokens_per_second", "step_ms", "mfu", "epoch"]),
  events: { into: EVENT_COLUMNS, select: EVENT_COLUMNS, join: "" },
};

/**
 * Moves the rows of tables that a migration set aside, a slice per transaction: inserted in the new table and deleted
 * from the old one together, so that a kill at any moment loses and doubles nothing, and the next start continues. The
 * pages that a slice frees are those that the next one fills: the file hardly grows.
 */
export function finishMoves(sqlite: SqliteDatabase.Database, tell: (line: string) => void): void {
  const isThere = sqlite.prepare("select 1 from sqlite_master where type = 'table' and name = ?");
  for (const table of Object.keys(MOVES)) {
    if (isThere.get(`old_${table}`) !== undefined) moveTable(sqlite, table, tell);
  }
}

function moveTable(sqlite: SqliteDatabase.Database, table: string, tell: (line: string) => void): void {
  const { into, select, join } = MOVES[table];
  const old = `old_${table}`;
  const rows = sqlite.prepare(`select max(rowid) - min(rowid) + 1 from ${old}`).pluck().get() as number | null;
  const endOfSlice = sqlite.prepare(`select max(id) from (select rowid as id from ${old} order by rowid limit ?)`)
    .pluck();
  const copy = sqlite.prepare(
    `insert into ${table} (${into}) select ${select} from ${old} ${join} where ${old}.rowid <= ?`,
  );
  const drop = sqlite.prepare(`delete from ${old} where rowid <= ?`);
  const moveSlice = sqlite.transaction(() => {
    const end = endOfSlice.get(SLICE_ROWS) as number | null;
    if (end === null) return 0;
    copy.run(end);
    return drop.run(end).changes;
  });

  let moved = 0;
  let toldAt = performance.now();
  for (let changes = moveSlice.immediate(); changes > 0; changes = moveSlice.immediate()) {
    moved += changes;
    if (performance.now() - toldAt < TELL_MS) continue;
    toldAt = performance.now();
    tell(`bringing the database up to date: ${moved} of about ${rows} rows of ${table}`);
  }
  sqlite.exec(`drop table ${old}`);
}
