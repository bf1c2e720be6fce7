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
};

/** Tells a screen reader what a reader of the page would look up for; every step would be too much. @param {RunEvent} event */
export function announce(event) {
  const text = event.type === "run.evaluated"
    ? `Step ${formatCount(event.data.step)}: validation loss ${formatLoss(event.data.val_loss)}`
    : SAID[event.type];
  if (text !== undefined) setText(byId("announcer", HTMLElement), text);
}
