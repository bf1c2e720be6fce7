import { describeStorageError, isDiskFull, isLocked, isStorageError } from "../data/storage_error.ts";
import type { Log } from "../log.ts";

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;
/** A backup or a `sqlite3` shell may hold the write lock for so long before that counts as being stuck. */
const LOCK_PATIENCE_MS = 1000;
const LOCK_RETRY_MS = 100;

/**
 * Does database work in the order it came. If the disk is full or the database locked, work waits, and what comes after
 * it too, until it succeeds: nothing is lost and nothing is done twice (each piece is one transaction). Requests are
 * answered meanwhile.
 */
export class PatientWriter {
  readonly #waiting: (() => void)[] = [];
  #retryMs = FIRST_RETRY_MS;
  /** When the database was first found locked by another process; null if it is not. */
  #lockedSince: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param attempt does the work once; if the database is locked, it throws soon, because this class tries again
   * @param onStuck work waits, and why; called once until all is done again
   * @param makeRoom frees a reserve of disk space; false where there is none
   */
  constructor(
    private readonly deps: {
      log: Log;
      attempt: (work: () => void) => void;
      makeRoom: () => boolean;
      onStuck: (cause: string) => void;
    },
  ) {}

  get isStuck(): boolean {
    return this.#waiting.length > 0;
  }

  /** At once, unless something waits already. Work that fails of itself is logged, and over. */
  write(work: () => void): void {
    const wasStuck = this.isStuck;
    this.#waiting.push(work);
    if (!wasStuck) this.#drain();
  }

  /** One more try; then what still waits is given up. The next start finds the rows as they were. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.isStuck) this.#drain({ last: true });
  }

  #drain({ last = false } = {}): void {
    while (this.#waiting.length > 0) {
      try {
        const [work] = this.#waiting;
        if (last) work();
        else this.deps.attempt(work);
        this.#lockedSince = null;
      } catch (error) {
        if (isStorageError(error)) {
          if (isDiskFull(error) && this.deps.makeRoom()) continue;
          return this.#wait(error, last);
        }
        this.deps.log.error({ err: error }, "could not write down what happened");
      }
      this.#waiting.shift();
    }
    this.#retryMs = FIRST_RETRY_MS;
  }

  #wait(error: Error, last: boolean): void {
    const cause = describeStorageError(error);
    const isFirst = this.#retryMs === FIRST_RETRY_MS;
    if (last) {
      this.deps.log.error({ err: error, lost: this.#waiting.length }, `could not write until the end: ${cause}`);
      this.#waiting.length = 0;
      return;
    }
    if (isFirst && isLocked(error) && this.#mayStillWaitForLock()) {
      this.#timer = setTimeout(() => this.#drain(), LOCK_RETRY_MS);
      return;
    }
    this.deps.log[isFirst ? "error" : "debug"]({ err: error, waiting: this.#waiting.length }, `cannot write: ${cause}`);
    this.#timer = setTimeout(() => this.#drain(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
    if (isFirst) this.deps.onStuck(cause);
  }

  #mayStillWaitForLock(): boolean {
    this.#lockedSince ??= performance.now();
    return performance.now() - this.#lockedSince < LOCK_PATIENCE_MS;
  }
}
