import { asc, eq, max } from "drizzle-orm";
import { isStorageError } from "../data/storage_error.ts";
import { type Database, transactionOfRepeatable } from "../db/client.ts";
import { events, removals, run_keys } from "../db/schema.ts";
import type { Log } from "../log.ts";
import { nextTurn } from "../turns.ts";

type Removal = typeof removals.$inferSelect;

/** Points of one slice: about 5 ms. */
const SLICE_POINTS = 5000;
/** An event has three indices and, in a long progress event, pages of its own. */
const SLICE_EVENTS = 500;
const RETRY_MS = 15_000;

/**
 * Removes the points and events of deleted runs in slices, with a turn for everyone else after each. Together they took
 * 7.4 s for a run of 4 million steps. What is to be removed is a row, written with the deletion: a start continues.
 */
export class Removals {
  #working: Promise<void> | null = null;
  #isClosed = false;
  #endPause = () => {};

  /** @param onRemoved hears when a deleted run's last row is gone */
  constructor(
    private readonly db: Database,
    private readonly log: Log,
    private readonly onRemoved: () => void = () => {},
  ) {}

  /** Call it in the transaction that deletes the run, and `start` after that. Events appended later stay. */
  add(runId: string): void {
    const last = this.db.select({ last: max(events.sequence) }).from(events).get()?.last ?? 0;
    this.db.insert(removals).values({ run_id: runId, last_sequence: last }).run();
  }

  /** Works in the background until nothing is left to remove. */
  start(): void {
    if (this.#isClosed) return;
    this.#working ??= this.#work().finally(() => this.#working = null);
  }

  /** Resolves once the slice under way is over, or, if nothing is being removed, at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#endPause();
    await this.#working;
  }

  /** Resolves once everything is removed, or the database cannot be written. */
  async settle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  async #work(): Promise<void> {
    await nextTurn(); // the answer to the deletion goes first
    while (!this.#isClosed) {
      try {
        const removal = this.db.select().from(removals).orderBy(asc(removals.run_id)).limit(1).get();
        if (!removal) return;
        const isDone = transactionOfRepeatable(this.db, () => this.#removeSlice(removal));
        if (isDone) this.onRemoved();
        await nextTurn();
      } catch (error) {
        if (!isStorageError(error)) {
          this.log.error({ err: error }, "could not remove what deleted runs left; the next start tries again");
          return;
        }
        this.log.warn({ err: error }, "cannot remove what deleted runs left; it is tried again");
        await this.#pause();
      }
    }
  }

  /** @returns whether it was the last slice */
  #removeSlice({ run_id, last_sequence }: Removal): boolean {
    const sqlite = this.db.$client;
    const key = this.db.select({ key: run_keys.key }).from(run_keys).where(eq(run_keys.run_id, run_id)).get()?.key;
    for (const table of ["train_points", "val_points"]) {
      const { changes } = sqlite.prepare(`delete from ${table} where run_key = ? and step <= (
        select max(step) from (select step from ${table} where run_key = ? order by step limit ?)
      )`).run(key, key, SLICE_POINTS);
      if (changes > 0) return false;
    }
    const { changes } = sqlite.prepare(`delete from events where sequence in (
      select sequence from events where run_id = ? and sequence <= ? order by sequence limit ?
    )`).run(run_id, last_sequence, SLICE_EVENTS);
    if (changes > 0) return false;
    this.db.delete(run_keys).where(eq(run_keys.run_id, run_id)).run();
    this.db.delete(removals).where(eq(removals.run_id, run_id)).run();
    return true;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
