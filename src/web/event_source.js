// @ts-check
import { Hub } from "./hub.js";

/** @import { Page, RunEvent } from "./types.d.ts" */
/** @import { Source } from "./hub.js" */

/** The types of the service's events: an EventSource hears only those that it is told by name. */
export const TYPES = [
  "run.queued",
  "run.started",
  "run.progress",
  "run.evaluated",
  "run.sampled",
  "run.checkpointed",
  "run.checkpoint_corrupt",
  "run.paused",
  "run.resumed",
  "run.interrupted",
  "run.succeeded",
  "run.failed",
  "run.cancelled",
  "run.updated",
  "run.deleted",
  "dataset.created",
  "dataset.deleted",
];

/** The service's stream of the events of all runs. @type {Source} */
const source = {
  open(after, on) {
    const stream = new EventSource(`/api/events?after=${after}`);
    stream.onopen = on.open;
    stream.onerror = on.error; // the hub closes it, and opens the next one where this one ended
    for (const type of TYPES) {
      stream.addEventListener(type, (message) => on.event(JSON.parse(/** @type {MessageEvent} */ (message).data)));
    }
    return () => stream.close();
  },
  async lastSequence() {
    const response = await fetch("/api/events?order=desc&limit=1", { headers: { accept: "application/json" } });
    if (response.status === 401) return null;
    if (!response.ok) throw new Error(`events: HTTP ${response.status}`);
    /** @type {Page<RunEvent>} */
    const page = await response.json();
    return page.data[0]?.sequence ?? 0;
  },
  later(action, delayMs) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  now: () => Date.now(),
  random: () => Math.random(),
};

/** A hub over the service's stream: a tab's messages come in through its port, and the hub's go out through it. */
export function startHub() {
  const hub = new Hub(source);
  return (/** @type {MessagePort} */ port) => {
    port.onmessage = ({ data }) => hub.receive(port, data);
  };
}
