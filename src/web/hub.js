// @ts-check

/** @import { RunEvent } from "./types.d.ts" */

/**
 * One stream of events for all the tabs of a browser, which opens at most six connections to a server over HTTP/1.1: with
 * a stream in each tab the seventh tab never loads. It runs in a SharedWorker, or in the page if the browser has none.
 * It is open only while somebody looks. Pure: the stream, the log's end and the clock are handed in.
 *
 * @typedef {{ postMessage(message: ToPage): void }} Port
 *
 * @typedef {{ type: "watch", after: number | null } | { type: "rest" } | { type: "leave" } | { type: "retry" }
 *   | { type: "sign-out" }} ToHub
 *   `watch`: this tab looks, and knows the events up to `after` (null: it will read afresh). Said again now and then: a
 *   tab that crashed says nothing. `rest`: nobody looks. `retry`: the network may be back. `sign-out`: the session is over.
 *
 * @typedef {{ type: "at", sequence: number } | { type: "event", event: RunEvent }
 *   | { type: "connection", connected: boolean } | { type: "signed-out", byHand: boolean }} ToPage
 *   `at`: the events after `sequence` follow; a tab that has not seen those before it reads what they led to.
 *
 * @typedef {object} Source
 * @property {(after: number, on: { open(): void, event(event: RunEvent): void, error(): void }) => () => void} open
 *   a stream; gives what closes it
 * @property {() => Promise<number | null>} lastSequence of the log; null if the service wants a sign-in
 * @property {(action: () => void, delayMs: number) => () => void} later gives what calls it off
 * @property {() => number} now in ms
 * @property {() => number} random 0 to 1
 */

/** A tab that missed more than this reads afresh: that is bounded, a night's events are not. */
const MAX_REPLAY = 2000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 8000;
/** A tab says three times as often that it still looks. */
export const SILENT_MS = 60_000;

export class Hub {
  #source;
  /** Every tab there is. @type {Set<Port>} */
  #ports = new Set();
  /** The tabs that look: what each has seen, and when it was last heard. @type {Map<Port, { after: number | null, heardAt: number }>} */
  #watchers = new Map();
  /** The last sequence that the stream brought. */
  #position = 0;
  #connected = false;
  /** Closes the stream, or calls off the wait for the next attempt. @type {(() => void) | null} */
  #end = null;
  /** Counts attempts: what an older one hears no longer matters. */
  #attempt = 0;
  #failures = 0;

  /** @param {Source} source */
  constructor(source) {
    this.#source = source;
    this.#forgetSilent();
  }

  /** @param {Port} port @param {ToHub} message */
  receive(port, message) {
    switch (message.type) {
      case "watch":
        return this.#watch(port, message.after);
      case "rest":
        return this.#rest(port);
      case "leave":
        this.#ports.delete(port);
        return this.#rest(port);
      case "retry":
        if (!this.#connected && this.#watchers.size > 0) this.#open();
        return;
      case "sign-out":
        return this.#signOut([...this.#ports].filter((other) => other !== port), true);
    }
  }

  /** @param {Port} port @param {number | null} after */
  #watch(port, after) {
    this.#ports.add(port);
    const known = this.#watchers.get(port);
    const heardAt = this.#source.now();
    if (known !== undefined) {
      known.heardAt = heardAt;
      return;
    }
    this.#watchers.set(port, { after, heardAt });
    if (!this.#connected || (after !== null && after !== this.#position)) return this.#open();
    this.#watchers.set(port, { after: this.#position, heardAt });
    port.postMessage({ type: "at", sequence: this.#position });
    port.postMessage({ type: "connection", connected: true });
  }

  /** @param {Port} port */
  #rest(port) {
    if (this.#watchers.delete(port) && this.#watchers.size === 0) this.#close();
  }

  #close() {
    this.#attempt++;
    this.#end?.();
    this.#end = null;
    this.#connected = false;
  }

  /** Opens the stream where the tab that is furthest behind needs it; the others pass over what they have. */
  async #open() {
    this.#close();
    const attempt = this.#attempt;
    let last;
    try {
      last = await this.#source.lastSequence();
    } catch {
      // No answer, or none that helps: what matters is the next attempt.
      if (attempt === this.#attempt) this.#retryLater();
      return;
    }
    if (attempt !== this.#attempt) return;
    if (last === null) return this.#signOut([...this.#watchers.keys()], false);
    for (const [port, watcher] of this.#watchers) {
      const { after } = watcher;
      // Ahead of the log: the database is another one, restored from a backup.
      const fresh = after === null || after > last || last - after > MAX_REPLAY;
      watcher.after = fresh ? last : after;
      port.postMessage({ type: "at", sequence: watcher.after });
    }
    this.#position = Math.min(...[...this.#watchers.values()].map(({ after }) => after ?? last));
    this.#end = this.#source.open(this.#position, {
      open: () => attempt === this.#attempt && this.#setConnected(),
      event: (event) => attempt === this.#attempt && this.#deliver(event),
      error: () => attempt === this.#attempt && this.#retryLater(),
    });
  }

  #setConnected() {
    this.#failures = 0;
    this.#connected = true;
    // All tabs hear it: one that shows the form to sign in learns that another one has signed in.
    for (const port of this.#ports) port.postMessage({ type: "connection", connected: true });
  }

  /** @param {RunEvent} event */
  #deliver(event) {
    if (event.sequence <= this.#position) return;
    this.#position = event.sequence;
    for (const [port, watcher] of this.#watchers) {
      if (watcher.after !== null && event.sequence <= watcher.after) continue;
      watcher.after = event.sequence;
      port.postMessage({ type: "event", event });
    }
  }

  #retryLater() {
    this.#close();
    for (const port of this.#watchers.keys()) port.postMessage({ type: "connection", connected: false });
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    this.#end = this.#source.later(() => this.#open(), delayMs * (0.75 + this.#source.random() / 2));
  }

  /** @param {Port[]} told @param {boolean} byHand */
  #signOut(told, byHand) {
    this.#watchers.clear();
    this.#close();
    for (const port of told) port.postMessage({ type: "signed-out", byHand });
  }

  #forgetSilent() {
    this.#source.later(() => {
      const oldest = this.#source.now() - SILENT_MS;
      for (const [port, { heardAt }] of this.#watchers) if (heardAt < oldest) this.receive(port, { type: "leave" });
      this.#forgetSilent();
    }, SILENT_MS);
  }
}
