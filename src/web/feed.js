// @ts-check

/** @import { RunEvent } from "./types.d.ts" */

const TYPES = [
  "queued",
  "started",
  "progress",
  "evaluated",
  "sampled",
  "checkpointed",
  "checkpoint_corrupt",
  "paused",
  "resumed",
  "interrupted",
  "succeeded",
  "failed",
  "cancelled",
].map((name) => `run.${name}`);

const REOPEN_MS = 2000;

/**
 * One stream of the events of all runs for the whole page (browsers allow six connections to a server over HTTP/1.1).
 * Events arrive in order and once: the browser reconnects with `Last-Event-ID`; where it gives up (an answer that is not
 * an event stream, such as a proxy's 502), the feed opens a new stream after the last sequence it saw.
 */
export class Feed {
  #sequence;
  #onEvent;
  #onConnection;

  /**
   * @param {number} sequence events after this one are delivered
   * @param {(event: RunEvent) => void} onEvent
   * @param {(connected: boolean) => void} onConnection
   */
  constructor(sequence, onEvent, onConnection) {
    this.#sequence = sequence;
    this.#onEvent = onEvent;
    this.#onConnection = onConnection;
    this.#open();
  }

  #open() {
    const source = new EventSource(`/api/events?after=${this.#sequence}`);
    source.onopen = () => this.#onConnection(true);
    source.onerror = () => {
      this.#onConnection(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#open(), REOPEN_MS);
    };
    for (const type of TYPES) source.addEventListener(type, (message) => this.#deliver(message));
  }

  /** @param {MessageEvent<string>} message */
  #deliver(message) {
    /** @type {RunEvent} */
    const event = JSON.parse(message.data);
    if (event.sequence <= this.#sequence) return;
    this.#sequence = event.sequence;
    this.#onEvent(event);
  }
}
