import { SharedTurns } from "../turns.ts";
import type { EventFilter } from "./event_log.ts";
import type { Chunk } from "./event_tail.ts";

const PING = new TextEncoder().encode(": ping\n\n");

/**
 * A request takes several turns: to be accepted, read and answered. Beside three replays, the thread worked 35 ms from one
 * answer of /healthz to the next; with slices of 10 ms it was up to 170.
 */
const SLICE_MS = 5;

/** Where a follower reads: never within a transaction, so all of it is committed. */
interface Source {
  read(cursor: number): Chunk;
  /** Whether nothing will come any more, asked by one who has read everything. */
  isOver(): boolean;
}

/** A cursor and, while it has read everything, a wait: it has no queue, so one who does not ask costs an integer. */
export class Follower {
  #wake: ((woken: "news" | "heartbeat") => void) | null = null;
  #fail: ((error: unknown) => void) | null = null;
  #left = false;
  #spokeAt = performance.now();

  constructor(
    private readonly followers: Followers,
    private readonly source: Source,
    readonly filter: EventFilter,
    private cursor: number,
  ) {}

  /**
   * Whole messages of a stream of server-sent events, each event once and in order, or a comment as heartbeat; null at
   * the end: it left, or there is nothing left to replay and nothing will come. One call at a time; the first one makes
   * it a follower, so that one whose stream nobody reads (an answer to HEAD) is none.
   */
  async next(): Promise<Uint8Array | null> {
    if (!this.#left) this.followers.add(this);
    try {
      for (;;) {
        await this.followers.turns.give();
        if (this.#left) break;
        const { bytes, cursor } = this.source.read(this.cursor);
        const isCaughtUp = bytes === null && cursor === this.cursor;
        this.cursor = cursor;
        if (isCaughtUp && this.source.isOver()) break;
        const woken = isCaughtUp ? await this.#wait() : "news";
        if (bytes === null && woken === "news") continue;
        this.#spokeAt = performance.now();
        return bytes ?? PING;
      }
    } catch (error) {
      this.leave();
      throw error;
    }
    this.leave();
    return null;
  }

  leave(): void {
    this.#left = true;
    this.followers.remove(this);
    this.wake("news");
  }

  wake(woken: "news" | "heartbeat"): void {
    this.#wake?.(woken);
  }

  fail(error: unknown): void {
    this.#fail?.(error);
  }

  /** Whether it waits, and has been given nothing since `time`. */
  isSilentSince(time: number): boolean {
    return this.#wake !== null && this.#spokeAt <= time;
  }

  async #wait(): Promise<"news" | "heartbeat"> {
    try {
      return await new Promise((resolve, reject) => {
        this.#wake = resolve;
        this.#fail = reject;
      });
    } finally {
      this.#wake = this.#fail = null;
    }
  }
}

/** Who follows, by run, so that one run's events wake nobody of another's. One timer serves all heartbeats. */
export class Followers {
  /** `undefined`: those of all runs. */
  readonly #byRun = new Map<string | undefined, Set<Follower>>();
  /** A replay to a fast reader waits for nothing by itself: 500,000 events held the thread for 3.1 s. */
  readonly turns = new SharedTurns(SLICE_MS);
  #count = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly heartbeatMs: number) {}

  get count(): number {
    return this.#count;
  }

  add(follower: Follower): void {
    const { runId } = follower.filter;
    const same = this.#byRun.get(runId) ?? new Set();
    if (same.has(follower)) return;
    this.#byRun.set(runId, same.add(follower));
    this.#count++;
    this.#timer ??= setInterval(() => this.#beat(), this.heartbeatMs / 15);
  }

  remove(follower: Follower): void {
    const { runId } = follower.filter;
    const same = this.#byRun.get(runId);
    if (!same?.delete(follower)) return;
    if (same.size === 0) this.#byRun.delete(runId);
    if (--this.#count > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Wakes those of these runs, and those of all. */
  wake(runIds: Iterable<string>): void {
    for (const runId of new Set<string | undefined>(runIds).add(undefined)) {
      for (const follower of this.#byRun.get(runId) ?? []) follower.wake("news");
    }
  }

  wakeAll(): void {
    this.#each((follower) => follower.wake("news"));
  }

  failAll(error: unknown): void {
    this.#each((follower) => follower.fail(error));
  }

  #beat(): void {
    const due = performance.now() - this.heartbeatMs;
    this.#each((follower) => follower.isSilentSince(due) && follower.wake("heartbeat"));
  }

  #each(visit: (follower: Follower) => void): void {
    for (const followers of this.#byRun.values()) for (const follower of followers) visit(follower);
  }
}
