// @ts-check
import { byId, setText } from "./dom.js";
import { formatCount, formatLoss } from "./format.js";

/** @import { RunEvent } from "./types.d.ts" */

/** @type {Partial<Record<RunEvent["type"], string>>} */
const SAID = {
  "run.started": "The run is running",
  "run.paused": "The run is paused",
  "run.interrupted": "The run was interrupted and is queued again",
  "run.succeeded": "The run has finished",
  "run.failed": "The run has failed",
  "run.cancelled": "The run is cancelled",
  "run.deleted": "The run was deleted",
};

/** A quick run evaluates every second: whoever listens could do nothing else. */
const QUIET_MS = 10_000;

/** The text to say once nothing was said for a while; null if there is none. @type {{ text: string, isState: boolean } | null} */
let pending = null;
let isQuiet = false;

/**
 * Tells a screen reader what a reader of the page would look up for; every step would be too much. It speaks at most once
 * in ten seconds: the newest of what came meanwhile, a change of the run's state before a loss.
 * @param {RunEvent} event
 */
export function announce(event) {
  const isState = event.type !== "run.evaluated";
  const text = event.type === "run.evaluated"
    ? `Step ${formatCount(event.data.step)}: validation loss ${formatLoss(event.data.val_loss)}`
    : SAID[event.type];
  if (text === undefined || (pending?.isState && !isState)) return;
  pending = { text, isState };
  if (!isQuiet) speak();
}

function speak() {
  isQuiet = pending !== null;
  if (pending === null) return;
  setText(byId("announcer", HTMLElement), pending.text);
  pending = null;
  setTimeout(speak, QUIET_MS);
}
