import { isStorageError } from "../data/storage_error.ts";
import { type Database, makeShrinkable } from "../db/client.ts";
import { giveBackFreePages } from "../db/free_pages.ts";
import type { Log } from "../log.ts";

const LOOK_MS = 60_000;

/** Keeps the database's file as small as its content, while the server runs. */
export class DatabaseKeeper {
  #timer: ReturnType<typeof setInterval> | undefined;
  #working: Promise<void> | null = null;
  #closed = false;

  constructor(private readonly deps: { db: Database; log: Log }) {}

  /** Prepares the database, which takes a while the first time after an update, and looks at it every minute. */
  start(): void {
    const { db, log } = this.deps;
    const began = performance.now();
    try {
      if (makeShrinkable(db)) {
        log.info({ ms: Math.round(performance.now() - began) }, "the database was rewritten so that it can shrink");
      }
    } catch (error) {
      if (!isStorageError(error)) throw error;
      log.warn({ err: error }, "the database could not be rewritten so that it can shrink; the next start tries again");
    }
    this.#timer = setInterval(() => void this.giveBack(), LOOK_MS);
  }

  /** Gives free pages back to the file system; callers share one pass. Resolves when it is over, whatever came of it. */
  giveBack(): Promise<void> {
    return this.#working ??= this.#giveBack().finally(() => this.#working = null);
  }

  /** Resolves when nothing here uses the database any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#working;
  }

  async #giveBack(): Promise<void> {
    const { db, log } = this.deps;
    try {
      const pages = await giveBackFreePages(db, { goOn: () => !this.#closed });
      if (pages > 0) log.debug({ pages }, "free pages of the database were given back");
    } catch (error) {
      // Another process writes, or the disk is full: the next look tries again.
      log[isStorageError(error) ? "debug" : "error"]({ err: error }, "free pages could not be given back");
    }
  }
}
