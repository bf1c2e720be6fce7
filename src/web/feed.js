// @ts-check
import { startHub } from "./event_source.js";
import { SILENT_MS } from "./hub.js";

/** @import { RunEvent } from "./types.d.ts" */
/** @import { ToHub, ToPage } from "./hub.js" */

/** A tab that nobody has looked at for so long lets go of the stream. */
const REST_AFTER_MS = 30_000;
/** Changes with the messages of `hub.js`: an old tab's worker must not speak to a new page. */
const WORKER_NAME = "reverie-stream-1";

/**
 * This tab's end of the stream that all tabs of the browser share. Events come in order and once; a tab that was hidden,
 * or a connection that was lost, is caught up after the last event that it saw.
 *
 * @typedef {object} Listener
 * @property {(event: RunEvent) => void} onEvent
 * @property {() => void} onPosition what is read from now on is complete with the events that follow
 * @property {(connected: boolean) => void} onConnection
 * @property {(byHand: boolean) => void} onSignedOut
 */
export class Feed {
  #listener;
  /** @type {MessagePort} */
  #port;
  /** The last event seen; null: none, read afresh. @type {number | null} */
  #sequence = null;
  /** Whether the page wants the stream: not before it is signed in. */
  #wanted = false;
  #resting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restTimer;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    this.#port = this.#connect();
    document.addEventListener("visibilitychange", () => document.hidden ? this.#restSoon() : this.#wake());
    addEventListener("pagehide", () => this.#send({ type: "leave" }));
    addEventListener("pageshow", (event) => {
      if (/** @type {PageTransitionEvent} */ (event).persisted) this.#watch();
    });
    addEventListener("online", () => this.#send({ type: "retry" }));
    setInterval(() => this.#watch(), SILENT_MS / 3);
  }

  /** Begins, or begins again after a sign-in: the page will read afresh. */
  start() {
    this.#wanted = true;
    this.#sequence = null;
    this.#send({ type: "rest" });
    if (document.hidden) this.#restSoon();
    this.#watch();
  }

  /** The session is over, by hand: so it is in the other tabs. */
  signOut() {
    this.#wanted = false;
    this.#send({ type: "sign-out" });
  }

  /** @returns {MessagePort} of the browser's hub, or of one in this page */
  #connect() {
    if (!("SharedWorker" in globalThis)) return this.#connectHere();
    const worker = new SharedWorker("/assets/stream_worker.js", { type: "module", name: WORKER_NAME });
    // An old browser that takes no module as a worker.
    worker.addEventListener("error", () => {
      this.#port = this.#connectHere();
      this.#watch();
    });
    return this.#listen(worker.port);
  }

  #connectHere() {
    const { port1, port2 } = new MessageChannel();
    startHub()(port2);
    return this.#listen(port1);
  }

  /** @param {MessagePort} port */
  #listen(port) {
    port.onmessage = ({ data }) => this.#receive(data);
    return port;
  }

  /** @param {ToHub} message */
  #send(message) {
    this.#port.postMessage(message);
  }

  #watch() {
    if (this.#wanted && !this.#resting) this.#send({ type: "watch", after: this.#sequence });
  }

  #restSoon() {
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => {
      this.#resting = true;
      this.#send({ type: "rest" });
    }, REST_AFTER_MS);
  }

  #wake() {
    clearTimeout(this.#restTimer);
    this.#resting = false;
    this.#watch();
    this.#send({ type: "retry" });
  }

  /** @param {ToPage} message */
  #receive(message) {
    switch (message.type) {
      case "at":
        this.#sequence = message.sequence;
        return this.#listener.onPosition();
      case "event":
        this.#sequence = message.event.sequence;
        return this.#listener.onEvent(message.event);
      case "connection":
        return this.#listener.onConnection(message.connected);
      case "signed-out":
        this.#wanted = false;
        return this.#listener.onSignedOut(message.byHand);
    }
  }
}
