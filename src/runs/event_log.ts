import { and, asc, desc, eq, gt, lt, lte, type SQL, sql } from "drizzle-orm";
import { now } from "../db/ids.ts";
import type { Database } from "../db/client.ts";
import { events, type EventType, runs } from "../db/schema.ts";
import { type Chunk, encodeChunk, EventTail } from "./event_tail.ts";
import { currentRequestId } from "../request_context.ts";
import { Follower, Followers } from "./followers.ts";
import { isFinished } from "./states.ts";

/** As clients see it, in the stream and in lists. */
export interface RunEvent {
  type: EventType;
  /** Null for what belongs to no run. */
  run_id: string | null;
  sequence: number;
  timestamp: string;
  data: Record<string, unknown>;
}

export interface EventFilter {
  runId?: string;
  /** Without repetition. */
  types?: EventType[];
}

interface Page {
  after: number | null;
  /** The last sequence that counts. */
  until?: number;
  limit: number;
  order: "asc" | "desc";
}

/** Events that a request can cause while it is answered. The trainer's own may come meanwhile, and are not its. */
const CAUSED_AT_ONCE: readonly EventType[] = [
  "run.queued",
  "run.resumed",
  "run.paused",
  "run.cancelled",
  "run.updated",
  "run.deleted",
  "dataset.created",
  "dataset.deleted",
];
const ENDS: readonly EventType[] = ["run.succeeded", "run.failed", "run.cancelled", "run.deleted"];

/** Rows of one read; 64 of a run's progress are more than a chunk holds. */
const BATCH = 64;
/** Max size of a page, counted as the events are stored. A page of 100 samples of 100,000 tokens each would take 40 MB. */
export const PAGE_BYTES = 2 ** 20;
/** More than this at once means that nobody looked for a while. */
const MOST_NEW = 500;
export const HEARTBEAT_MS = 15_000;
/** So many followers have every event at once. */
const AT_ONCE = 50;

/**
 * How often followers are told. A write takes 13 µs of the thread that also answers requests: 1,000 followers that got
 * each of five events a second would take 7 % of a core, once a second they take 1.3 %.
 */
function paceMs(followers: number): number {
  return followers <= AT_ONCE ? 0 : Math.min(followers, 1000);
}

/**
 * The append-only log that everything about runs goes through. What was appended is read from the database and encoded
 * once for all who follow; who is behind reads the database for itself.
 */
export class EventLog {
  readonly #followers: Followers;
  readonly #tail: EventTail;
  /** Since the database was read; each is an event, or a deletion, or was rolled back. */
  #wakes = 0;
  #readAt = -Infinity;
  #isScheduled = false;
  #closed = false;
  readonly #listeners: ((event: RunEvent) => void)[] = [];
  /** Run → type of an event that was asked for → id of the request that asked. */
  readonly #asked = new Map<string, Map<EventType, string>>();
  /** Whether a run is finished or gone, as of the last read. */
  readonly #over = new Map<string, boolean>();

  constructor(private readonly db: Database, { heartbeatMs = HEARTBEAT_MS } = {}) {
    this.#followers = new Followers(heartbeatMs);
    this.#tail = new EventTail(this.lastSequence());
  }

  /**
   * Call it inside the transaction that makes the event true. Followers wake in a later microtask, and transactions are
   * synchronous: what they then read is committed (or rolled back, and they go on waiting).
   * @param runId null for what belongs to no run
   */
  append(runId: string | null, type: EventType, data: Record<string, unknown>): void {
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

  #takeRequest(runId: string | null, type: EventType): string | undefined {
    const asked = runId === null ? undefined : this.#asked.get(runId);
    const request = asked?.get(type) ?? (CAUSED_AT_ONCE.includes(type) ? currentRequestId() : undefined);
    asked?.delete(type);
    if (runId !== null && (asked?.size === 0 || ENDS.includes(type))) this.#asked.delete(runId);
    return request;
  }

  /** Makes followers look again: after a deletion, say, which appends nothing. */
  wake(): void {
    this.#wakes++;
    this.#schedule();
  }

  /** Ends every follower, once it has seen the last event. */
  close(): void {
    this.#closed = true;
    this.#readNew();
    this.#followers.wakeAll();
  }

  /** How many follow at the moment. */
  get followers(): number {
    return this.#followers.count;
  }

  /** The newest sequence that was ever given: of an event that may be gone, with its run. */
  lastSequence(): number {
    const row = this.db.get<{ seq: number } | undefined>(sql`select seq from sqlite_sequence where name = 'events'`);
    return row?.seq ?? 0;
  }

  /** Up to `limit` events past the cursor `after`, in the given order. */
  list(filter: EventFilter, page: Page): RunEvent[] {
    return this.db.select().from(events).where(matches(filter, page))
      .orderBy(inOrder(page)).limit(page.limit).all();
  }

  /** As `list`, but as many as an answer may hold: at least one, and no more once they pass `PAGE_BYTES`. */
  page(filter: EventFilter, page: Page): { data: RunEvent[]; hasMore: boolean } {
    const found = this.db.select({ bytes: sql<number>`octet_length(${events.data})` }).from(events)
      .where(matches(filter, { ...page, limit: page.limit + 1 }))
      .orderBy(inOrder(page)).limit(page.limit + 1).all();
    let count = 0;
    for (let bytes = 0; count < Math.min(found.length, page.limit) && bytes < PAGE_BYTES; count++) {
      bytes += found[count].bytes;
    }
    return { data: this.list(filter, { ...page, limit: count }), hasMore: count < found.length };
  }

  hasAfter(filter: EventFilter, after: number): boolean {
    return this.db.select({ sequence: events.sequence }).from(events)
      .where(matches(filter, { after, limit: 1, order: "asc" })).limit(1).get() !== undefined;
  }

  /**
   * Follows from after `after`; a follower of one run ends with the run, or before where `isEnough` says so (`wake` makes
   * it ask). Whoever stops asking must `leave()`.
   */
  follow(filter: EventFilter, after: number, isEnough: () => boolean = () => false): Follower {
    const source = {
      read: (cursor: number) => this.#tail.after(cursor, filter) ?? this.#readOld(cursor, filter),
      isOver: () => this.#isOver(filter, isEnough),
    };
    return new Follower(this.#followers, source, filter, after);
  }

  /** What the tail no longer holds, up to where it begins to be read: so the next read goes on there. */
  #readOld(cursor: number, filter: EventFilter): Chunk {
    const { head } = this.#tail;
    const { run_id, type, sequence, timestamp } = events;
    const page = { after: cursor, until: head, limit: BATCH, order: "asc" } as const;
    const rows = this.db.select({ run_id, type, sequence, timestamp, json: sql<string>`${events.data}` }).from(events)
      .where(matches(filter, page)).orderBy(inOrder(page)).limit(BATCH).all();
    const end = rows.length < BATCH ? head : rows[BATCH - 1].sequence;
    return encodeChunk(rows, end);
  }

  /** For one who has read all of the tail. What was appended since may be the end that it has yet to see. */
  #isOver(filter: EventFilter, isEnough: () => boolean): boolean {
    if (!this.#closed && !isEnough() && !this.#isRunOver(filter.runId)) {
      if (this.#wakes > 0) this.#schedule(); // nobody waited, so nobody has read it
      return false;
    }
    if (this.#wakes === 0) return true;
    this.#readNew();
    queueMicrotask(() => this.#followers.wakeAll());
    return false;
  }

  #isRunOver(runId: string | undefined): boolean {
    if (runId === undefined) return false;
    let over = this.#over.get(runId);
    if (over === undefined) {
      const run = this.db.select({ status: runs.status }).from(runs).where(eq(runs.id, runId)).get();
      over = run === undefined || isFinished(run.status);
      this.#over.set(runId, over);
    }
    return over;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#followers.count === 0) return;
    this.#isScheduled = true;
    const restMs = this.#readAt + paceMs(this.#followers.count) - performance.now();
    if (restMs > 0) setTimeout(() => this.#tell(), restMs);
    else queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#isScheduled = false;
    if (this.#wakes === 0) return;
    const wakes = this.#wakes;
    try {
      const { runIds, count } = this.#readNew();
      // A wake without an event is a deletion, or was rolled back: anybody may have to look.
      if (count < wakes) this.#followers.wakeAll();
      else this.#followers.wake(runIds);
    } catch (error) {
      this.#followers.failAll(error); // each ends its stream, and its client comes back
    }
  }

  /** Brings the tail up to date. */
  #readNew(): { runIds: Set<string>; count: number } {
    const rows = this.list({}, { after: this.#tail.head, limit: MOST_NEW, order: "asc" });
    if (rows.length < MOST_NEW) this.#tail.add(rows);
    else this.#tail.restart(this.lastSequence());
    this.#wakes = 0;
    this.#readAt = performance.now();
    this.#over.clear();
    return { runIds: new Set(rows.flatMap(({ run_id }) => run_id ?? [])), count: rows.length };
  }
}

function inOrder({ order }: Page): SQL {
  return order === "asc" ? asc(events.sequence) : desc(events.sequence);
}

/**
 * The first `limit` events that pass the filter, and maybe more. Each type is looked up by itself, since an index gives
 * one type in order of sequence, but several only after all of them are sorted.
 */
function matches({ runId, types }: EventFilter, page: Page): SQL | undefined {
  const within = and(
    runId === undefined ? undefined : eq(events.run_id, runId),
    page.after === null ? undefined : (page.order === "asc" ? gt : lt)(events.sequence, page.after),
    page.until === undefined ? undefined : lte(events.sequence, page.until),
  );
  if (types === undefined) return within;
  if (types.length === 1) return and(within, eq(events.type, types[0]));
  const ofEach = types.map((type) =>
    sql`select * from (select ${events.sequence} from ${events} where ${and(within, eq(events.type, type))}
      order by ${inOrder(page)} limit ${page.limit})`
  );
  return sql`${events.sequence} in (${sql.join(ofEach, sql` union all `)})`;
}
