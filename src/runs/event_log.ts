import { and, asc, desc, eq, gt, inArray, lt, max } from "drizzle-orm";
import { now } from "../db/ids.ts";
import type { Database } from "../db/client.ts";
import { events, type EventType } from "../db/schema.ts";
import { currentRequestId } from "../request_context.ts";

/** As clients see it, in the stream and in lists. */
export interface RunEvent {
  type: EventType;
  run_id: string;
  sequence: number;
  timestamp: string;
  data: Record<string, unknown>;
}

export interface EventFilter {
  runId?: string;
  types?: EventType[];
}

/** Events that a request can cause while it is answered. The trainer's own may come meanwhile, and are not its. */
const CAUSED_AT_ONCE: readonly EventType[] = ["run.queued", "run.resumed", "run.paused", "run.cancelled"];
const ENDS: readonly EventType[] = ["run.succeeded", "run.failed", "run.cancelled"];

const BATCH = 200;
const HEARTBEAT_MS = 15_000;

/**
 * The append-only log that everything about runs goes through. A follower is a cursor into the table and a wait for
 * the next append: it has no queue, so a slow client costs an integer and delays nobody.
 */
export class EventLog {
  #wake = Promise.withResolvers<void>();
  #closed = false;
  readonly #followers = new Set<AbortSignal>();
  readonly #listeners: ((event: RunEvent) => void)[] = [];
  /** Run → type of an event that was asked for → id of the request that asked. */
  readonly #asked = new Map<string, Map<EventType, string>>();

  constructor(private readonly db: Database) {}

  /**
   * Call it inside the transaction that makes the event true. Followers wake in a later microtask, and transactions are
   * synchronous: what they then read is committed (or rolled back, and they go on waiting).
   */
  append(runId: string, type: EventType, data: Record<string, unknown>): void {
    const request_id = this.#takeRequest(runId, type);
    const event = this.db.insert(events).values({
      run_id: runId,
      type,
      timestamp: now(),
      data: request_id === undefined ? data : { ...data, request_id },
    }).returning().get();
    for (const listener of this.#listeners) listener(event);
    this.wake();
  }

  /** Calls `listener` with each event in the transaction that appends it: what it writes is rolled back with it. */
  onAppend(listener: (event: RunEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Says that the request being answered asked for the run's next event of this type, which the trainer will report. */
  attribute(runId: string, type: EventType): void {
    const request = currentRequestId();
    if (request === undefined) return;
    this.#asked.set(runId, (this.#asked.get(runId) ?? new Map()).set(type, request));
  }

  #takeRequest(runId: string, type: EventType): string | undefined {
    const asked = this.#asked.get(runId);
    const request = asked?.get(type) ?? (CAUSED_AT_ONCE.includes(type) ? currentRequestId() : undefined);
    asked?.delete(type);
    if (asked?.size === 0 || ENDS.includes(type)) this.#asked.delete(runId);
    return request;
  }

  /** Makes followers look again: after a deletion, say, which appends nothing. */
  wake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Ends every follower. */
  close(): void {
    this.#closed = true;
    this.wake();
  }

  /** How many follow at the moment. */
  get followers(): number {
    return this.#followers.size;
  }

  lastSequence(): number {
    return this.db.select({ last: max(events.sequence) }).from(events).get()?.last ?? 0;
  }

  /** Up to `limit` events past the cursor `after`, in the given order. */
  list(filter: EventFilter, page: { after: number | null; limit: number; order: "asc" | "desc" }): RunEvent[] {
    const { after, limit, order } = page;
    return this.db.select().from(events)
      .where(and(
        filter.runId === undefined ? undefined : eq(events.run_id, filter.runId),
        filter.types === undefined ? undefined : inArray(events.type, filter.types),
        after === null ? undefined : order === "asc" ? gt(events.sequence, after) : lt(events.sequence, after),
      ))
      .orderBy(order === "asc" ? asc(events.sequence) : desc(events.sequence))
      .limit(limit).all();
  }

  /**
   * Events after `after`, in order and each once, as they come; an empty batch is a heartbeat. It ends when `signal`
   * aborts, or when there is nothing left to replay and nothing will come: the log is closed, or `isOver()` says so.
   */
  async *follow(
    filter: EventFilter,
    options: { after: number; signal: AbortSignal; isOver?: () => boolean; heartbeatMs?: number },
  ): AsyncGenerator<RunEvent[]> {
    const { signal, isOver = () => false, heartbeatMs = HEARTBEAT_MS } = options;
    let cursor = options.after;
    let spokeAt = performance.now();
    // Taken out on abort as well: a client that goes away between two reads leaves the generator where it is.
    const leave = () => this.#followers.delete(signal);
    this.#followers.add(signal);
    signal.addEventListener("abort", leave);
    try {
      while (!signal.aborted) {
        // Taken before the read: an append between the read and the wait must not be slept through.
        const woken = this.#wake.promise;
        const batch = this.list(filter, { after: cursor, limit: BATCH, order: "asc" });
        if (batch.length > 0) {
          cursor = batch[batch.length - 1].sequence;
          yield batch;
          spokeAt = performance.now();
        } else if (this.#closed || isOver()) {
          return;
        } else {
          // What is left of the interval: appends that the filter hides wake this follower too, and are no heartbeat.
          const restMs = Math.max(0, spokeAt + heartbeatMs - performance.now());
          if (await waitFor(woken, restMs, signal) === "timeout") {
            yield [];
            spokeAt = performance.now();
          }
        }
      }
    } finally {
      leave();
    }
  }
}

async function waitFor(woken: Promise<void>, timeoutMs: number, signal: AbortSignal): Promise<"woken" | "timeout"> {
  const { promise, resolve } = Promise.withResolvers<"woken" | "timeout">();
  const timer = setTimeout(() => resolve("timeout"), timeoutMs);
  const stop = () => resolve("woken");
  signal.addEventListener("abort", stop);
  woken.then(stop);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
