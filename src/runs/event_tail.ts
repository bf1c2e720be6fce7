import type { EventType } from "../db/schema.ts";
import type { EventFilter, RunEvent } from "./event_log.ts";

/** What a follower gets next. */
export interface Chunk {
  /** Whole messages of a stream; null where the filter lets none of them through. */
  bytes: Uint8Array | null;
  /** The sequence up to which the follower now knows everything. */
  cursor: number;
}

interface TailEvent {
  sequence: number;
  run_id: string | null;
  type: EventType;
  bytes: Uint8Array;
}

/** Two minutes of a run whose events come five a second; a client that was away for less costs no query. */
const TAIL_BYTES = 2 ** 20;
/** A chunk ends with the message that passes this: what a client that stops reading may leave in the socket's buffers. */
const CHUNK_BYTES = 2 ** 15;
/** Chunks of more than one message, kept for the next follower who is at the same place. */
const CHUNKS = 16;

/** The newest committed events, encoded once for all who follow: every event past `floor`, up to `head`. */
export class EventTail {
  readonly #events: TailEvent[] = [];
  readonly #chunks = new Map<string, Chunk>();
  #sizeBytes = 0;
  #floor: number;
  #head: number;

  constructor(head: number) {
    this.#floor = this.#head = head;
  }

  get head(): number {
    return this.#head;
  }

  /** @param events what follows `head`, in order and without a gap */
  add(events: readonly RunEvent[]): void {
    for (const event of events) {
      const { sequence, run_id, type } = event;
      const bytes = encoder.encode(formatMessage(event, JSON.stringify(event.data)));
      this.#events.push({ sequence, run_id, type, bytes });
      this.#sizeBytes += bytes.length;
      this.#head = sequence;
    }
    let surplus = 0;
    while (this.#sizeBytes > TAIL_BYTES) this.#sizeBytes -= this.#events[surplus++].bytes.length;
    for (const { sequence } of this.#events.splice(0, surplus)) this.#floor = sequence;
    this.#chunks.clear();
  }

  /** Drops everything: whoever wants what came before `head` reads the database. */
  restart(head: number): void {
    this.#events.length = this.#sizeBytes = 0;
    this.#floor = this.#head = Math.max(head, this.#head); // a deletion takes the newest rows, never a sequence back
    this.#chunks.clear();
  }

  /** What comes after `cursor`, or null where the tail does not reach back so far. */
  after(cursor: number, filter: EventFilter): Chunk | null {
    if (cursor < this.#floor) return null;
    if (cursor >= this.#head) return { bytes: null, cursor };
    const key = `${cursor} ${filter.runId} ${filter.types}`;
    const known = this.#chunks.get(key);
    if (known) return known;
    let first = this.#events.length;
    while (first > 0 && this.#events[first - 1].sequence > cursor) first--;
    const { runId, types } = filter;
    const wanted = this.#events.slice(first).filter(({ run_id, type }) =>
      (runId === undefined || run_id === runId) && (types === undefined || types.includes(type))
    );
    const chunk = join(wanted, this.#head);
    if (this.#chunks.size < CHUNKS) this.#chunks.set(key, chunk);
    return chunk;
  }
}

/** As many whole messages as fit a chunk. @param head the cursor of who has all of them */
function join(messages: readonly TailEvent[], head: number): Chunk {
  let sizeBytes = 0;
  let count = 0;
  while (count < messages.length && sizeBytes < CHUNK_BYTES) sizeBytes += messages[count++].bytes.length;
  if (count === 0) return { bytes: null, cursor: head };
  const cursor = count === messages.length ? head : messages[count - 1].sequence;
  if (count === 1) return { bytes: messages[0].bytes, cursor };
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const message of messages.slice(0, count)) {
    bytes.set(message.bytes, at);
    at += message.bytes.length;
  }
  return { bytes, cursor };
}

const encoder = new TextEncoder();

/** One message of `text/event-stream`. @param json the event's `data` as it is stored */
function formatMessage({ type, run_id, sequence, timestamp }: Omit<RunEvent, "data">, json: string): string {
  const head = JSON.stringify({ type, run_id, sequence, timestamp });
  return `id: ${sequence}\nevent: ${type}\ndata: ${head.slice(0, -1)},"data":${json}}\n\n`;
}

/** As many whole messages as fit a chunk, encoded at once. @param head the cursor of who has all of them */
export function encodeChunk(events: readonly (Omit<RunEvent, "data"> & { json: string })[], head: number): Chunk {
  let text = "";
  let count = 0;
  while (count < events.length && text.length < CHUNK_BYTES) text += formatMessage(events[count], events[count++].json);
  const cursor = count === events.length ? head : events[count - 1].sequence;
  return { bytes: text === "" ? null : encoder.encode(text), cursor };
}
