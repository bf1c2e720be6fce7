import { PayloadTooLargeError, ProblemError } from "#src/errors.ts";
import { type Clock, systemClock } from "#src/runs/clock.ts";
import { orAborted } from "#src/runs/outbound.ts";
import type { BodyPlaces, Place } from "./body_places.ts";

/** GitHub's deliveries have at most 25 MB, and one that is refused is not sent again. */
export const MAX_HOOK_BODY_BYTES = 25 * 2 ** 20;
/** There may be as many bodies up to this size as there are connections; nearly all deliveries are smaller. */
const SMALL_BYTES = 64 * 1024;
const MAX_BODY_MS = 30_000;

export interface BodyReading {
  request: Request;
  /** The sender's address: places are shared out by it. */
  address: string;
  places: BodyPlaces;
  /** Sees every piece as it comes. */
  onChunk: (chunk: Uint8Array) => void;
  clock?: Clock;
}

/**
 * Reads a delivery's body, and calls `use` with it while it has its place in memory: `use` must be synchronous, so that
 * one body at a time is parsed.
 * @throws {PayloadTooLargeError}, {NoPlaceError}, {ProblemError} 408
 */
export async function withHookBody<T>(reading: BodyReading, use: (body: Uint8Array) => T): Promise<T> {
  const { request, clock = systemClock } = reading;
  const declaredBytes = Number(request.headers.get("content-length") ?? NaN);
  if (declaredBytes > MAX_HOOK_BODY_BYTES) throw new PayloadTooLargeError(MAX_HOOK_BODY_BYTES);
  const timeout = new AbortController();
  const cancel = clock.after(MAX_BODY_MS, () => {
    timeout.abort(new ProblemError(408, "Request timeout", `the body took longer than ${MAX_BODY_MS / 1000} s`));
  });
  const body = new GrowingBody(reading, AbortSignal.any([request.signal, timeout.signal]));
  try {
    if (declaredBytes > SMALL_BYTES) await body.reserve(declaredBytes);
    await body.read();
    return use(body.bytes);
  } finally {
    cancel();
    body.leave();
  }
}

/** The part of a body that has come so far. */
class GrowingBody {
  #buffer = new Uint8Array(0);
  #sizeBytes = 0;
  #place: Place | null = null;
  #signal: AbortSignal;

  constructor(private readonly reading: BodyReading, signal: AbortSignal) {
    this.#signal = signal;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#sizeBytes);
  }

  leave(): void {
    this.#place?.leave();
  }

  /** Makes room for `bytes` in all, once there is a place for a body of that size. */
  async reserve(bytes: number): Promise<void> {
    if (bytes > SMALL_BYTES && this.#place === null) {
      this.#place = await this.reading.places.take(this.reading.address, this.#signal);
      this.#signal = AbortSignal.any([this.#signal, this.#place.signal]);
    }
    const grown = new Uint8Array(bytes);
    grown.set(this.bytes);
    this.#buffer = grown;
  }

  async read(): Promise<void> {
    const reader = this.reading.request.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const { done, value } = await orAborted(reader.read(), this.#signal);
        if (done) break;
        await this.#add(value);
      }
      this.#place?.settle();
    } catch (error) {
      void reader.cancel().catch(() => {}); // broken off already: there is nothing left to stop
      throw error;
    } finally {
      reader.releaseLock();
    }
  }

  async #add(chunk: Uint8Array): Promise<void> {
    const sizeBytes = this.#sizeBytes + chunk.length;
    if (sizeBytes > MAX_HOOK_BODY_BYTES) throw new PayloadTooLargeError(MAX_HOOK_BODY_BYTES);
    if (sizeBytes > this.#buffer.length) {
      await this.reserve(Math.min(MAX_HOOK_BODY_BYTES, Math.max(sizeBytes, 2 * this.#buffer.length)));
    }
    this.#buffer.set(chunk, this.#sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.reading.onChunk(chunk);
  }
}
