import type { Log } from "../log.ts";
import type { Clock } from "./clock.ts";
import type { RunEvent } from "./event_log.ts";
import { orAborted, type Outbound } from "./outbound.ts";
import { attempt, type AttemptResult } from "./webhook_attempt.ts";
import { retryDelayMs } from "./webhook_retries.ts";
import type { Delivery, WebhookStore } from "./webhook_store.ts";

/** Attempts at once. An endpoint that never answers holds its own few for 15 s each, and the others go on. */
const MAX_ATTEMPTS = 64;
const MAX_ATTEMPTS_OF_AN_ENDPOINT = 4;
/** How long the database is left alone after an error of it. */
const DATABASE_PAUSE_MS = 10_000;
/** Between two prunings. */
const DONE_UNTIL_PRUNED = 1000;

const GONE = 410;

export interface WebhookDelivererDeps {
  store: WebhookStore;
  outbound: Outbound;
  clock: Clock;
  log: Log;
  random?: () => number;
}

/**
 * Delivers what the table says is due, at least once: a delivery leaves the table's queue only when its result is
 * written. It looks when something is added, when an attempt ends and when the next delivery falls due, and has one
 * timer at most; while nothing is due, nothing runs.
 */
export class WebhookDeliverer {
  /** Endpoint by delivery. */
  readonly #underWay = new Map<string, string>();
  readonly #attempts = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #started = false;
  #done = 0;
  #cancelTimer = () => {};

  constructor(private readonly deps: WebhookDelivererDeps) {}

  /** Adds an event's deliveries; call it in the event's own transaction. */
  accept(event: RunEvent): void {
    // Later: the transaction must be over before the rows are read; where it is rolled back, there are none.
    if (this.deps.store.enqueue(event) > 0) queueMicrotask(() => this.wake());
  }

  /** Goes on with what an earlier process left. */
  start(): void {
    this.#started = true;
    this.deps.store.prune();
    this.wake();
  }

  /** Starts what is due, as far as there is room, and sets the timer for what is not. */
  wake(): void {
    if (!this.#started || this.#closing.signal.aborted) return;
    const { store, clock, log } = this.deps;
    this.#cancelTimer();
    try {
      while (this.#underWay.size < MAX_ATTEMPTS) {
        const delivery = store.nextDue(isoTime(clock.now()), this.#busy());
        if (!delivery) break;
        this.#begin(delivery);
      }
      const next = store.nextTime(isoTime(clock.now()));
      // 1 ms at least: a clock may round.
      if (next !== null) this.#wakeAfter(Math.max(1, Date.parse(next) - clock.now()));
    } catch (error) {
      log.error({ err: error }, "webhook deliveries could not be read");
      this.#wakeAfter(DATABASE_PAUSE_MS);
    }
  }

  /** Breaks off what is under way: it is still due, and sent again by the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelTimer();
    await Promise.all(this.#attempts);
  }

  #wakeAfter(ms: number): void {
    this.#cancelTimer = this.deps.clock.after(ms, () => this.wake());
  }

  #busy(): { deliveries: string[]; endpoints: string[] } {
    const underWay = new Map<string, number>();
    for (const endpoint of this.#underWay.values()) underWay.set(endpoint, (underWay.get(endpoint) ?? 0) + 1);
    const full = [...underWay].filter(([, count]) => count >= MAX_ATTEMPTS_OF_AN_ENDPOINT);
    return { deliveries: [...this.#underWay.keys()], endpoints: full.map(([endpoint]) => endpoint) };
  }

  #begin(delivery: Delivery): void {
    this.#underWay.set(delivery.id, delivery.webhook_id);
    const attempt = this.#deliver(delivery).finally(() => {
      this.#underWay.delete(delivery.id);
      this.#attempts.delete(attempt);
      this.wake();
    });
    this.#attempts.add(attempt);
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { signal } = this.#closing;
    try {
      const result = await this.#attempt(delivery);
      // A result that cannot be written holds its place: sending again at once would send for ever.
      while (!this.#record(delivery, result)) await this.#pause(DATABASE_PAUSE_MS);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #attempt(delivery: Delivery): Promise<AttemptResult> {
    const { store, outbound, clock, log } = this.deps;
    let target: { url: string; secrets: string[] };
    try {
      target = store.target(delivery.webhook_id);
    } catch (error) {
      log.error({ err: error, webhook_id: delivery.webhook_id }, "a webhook's secret cannot be read");
      return { responseStatus: null, error: "the webhook's secret cannot be read: see the log", retryAfterMs: null };
    }
    return await attempt({ ...delivery, ...target }, { outbound, clock, signal: this.#closing.signal });
  }

  /** False where the database refuses. */
  #record(delivery: Delivery, { responseStatus, error, retryAfterMs }: AttemptResult): boolean {
    const { store, clock, log, random = Math.random } = this.deps;
    const delayMs = error === null ? null : retryDelayMs(delivery.attempts + 1, random(), retryAfterMs);
    try {
      store.record(delivery, {
        attempted_at: isoTime(clock.now()),
        response_status: responseStatus,
        error,
        next_attempt_at: delayMs === null ? null : isoTime(clock.now() + delayMs),
        disable_reason: responseStatus === GONE ? "the endpoint answered 410 Gone" : null,
      });
      if (delayMs === null && ++this.#done % DONE_UNTIL_PRUNED === 0) store.prune();
      return true;
    } catch (cause) {
      log.error({ err: cause, delivery_id: delivery.id }, "a webhook delivery's result could not be written");
      return false;
    }
  }

  /** @throws the reason of closing */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.deps.clock.after(ms, resolve);
    try {
      await orAborted(promise, this.#closing.signal);
    } finally {
      cancel();
    }
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
