// @ts-check
import { addPoints, bucketWidth, cutCurve, emptyCurve, storedCurve } from "./buckets.js";
import { cutAfter, EMPTY_SERIES, merge } from "./series.js";

/** @import { Losses, Progress, Run, RunEvent, RunStatus, Sample, SampledEvent, Series } from "./types.d.ts" */
/** @import { Curve } from "./buckets.js" */

/**
 * What the page knows of runs, as folds over their events. Pure: no DOM, no network. Applying events to a state that is
 * ahead of them (a replay, or history read after they were sent) ends in the same state as applying them in time.
 *
 * @typedef {object} RunHistory what a run did, beyond its row
 * @property {Curve} train
 * @property {Series} validation
 * @property {Sample[]} samples newest first
 * @property {number | null} etaSeconds as of the last progress
 * @property {boolean} stale a return to a checkpoint divided a bucket of `train`: only the service can make it whole
 */

/** Samples kept on the page; the event log keeps them all. */
const SAMPLES = 20;

/**
 * The status in which an event of this type leaves a run.
 * @type {Partial<Record<RunEvent["type"], RunStatus>>}
 */
const STATUS_AFTER = {
  "run.queued": "queued",
  "run.started": "running",
  "run.progress": "running",
  "run.paused": "paused",
  "run.resumed": "queued",
  "run.interrupted": "queued",
  "run.succeeded": "succeeded",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
};

/**
 * The history that is stored, before any event.
 * @param {Run} run
 * @param {Losses | null} losses null for a run that has none yet
 * @param {SampledEvent[]} samples newest first
 * @returns {RunHistory}
 */
export function storedHistory(run, losses, samples) {
  const width = bucketWidth(run.max_steps);
  return {
    train: losses === null ? emptyCurve(width) : storedCurve(width, losses),
    validation: losses?.validation ?? EMPTY_SERIES,
    samples: standing(samples.map((event) => event.data), run.step),
    etaSeconds: null,
    stale: false,
  };
}

/**
 * Of a log's samples those that a return to a checkpoint did not void.
 * @param {Sample[]} samples newest first
 * @param {number} step that the run stands at
 * @returns {Sample[]}
 */
function standing(samples, step) {
  let earliest = step + 1;
  return samples.filter((sample) => {
    if (sample.step >= earliest) return false;
    earliest = sample.step;
    return true;
  });
}

/**
 * A run's row after an event: all that the list of runs needs.
 * @param {Run} run
 * @param {RunEvent} event
 * @returns {Run}
 */
export function reduceRun(run, event) {
  const next = { ...run, status: STATUS_AFTER[event.type] ?? run.status };
  switch (event.type) {
    case "run.started":
      next.step = event.data.step;
      break;
    case "run.progress":
      next.step = event.data.step;
      next.skipped_steps = event.data.skipped_steps ?? run.skipped_steps;
      next.last_metrics = { ...run.last_metrics, ...newest(event.data) };
      break;
    case "run.evaluated":
      next.last_metrics = { ...run.last_metrics, "val/loss": event.data.val_loss };
      break;
  }
  return next;
}

/** @param {Progress} progress @returns {Record<string, number | null>} by metric */
function newest({ points, tokens_per_second }) {
  const last = points.at(-1);
  if (last === undefined) return {};
  return { "train/loss": last.loss, "train/lr": last.lr, "train/tokens_per_second": tokens_per_second };
}

/**
 * @param {RunHistory} history
 * @param {RunEvent} event of the same run
 * @returns {RunHistory}
 */
export function reduceHistory(history, event) {
  switch (event.type) {
    case "run.started": {
      // A start below the last step is a return to a checkpoint: the steps after it will be trained, and told, again.
      const { step } = event.data;
      const { curve, exact } = cutCurve(history.train, step);
      return {
        ...history,
        train: curve,
        stale: history.stale || !exact,
        validation: cutAfter(history.validation, step),
        samples: history.samples.filter((sample) => sample.step <= step),
      };
    }
    case "run.progress": {
      const { points, eta_seconds } = event.data;
      return {
        ...history,
        train: addPoints(history.train, points),
        etaSeconds: eta_seconds,
      };
    }
    case "run.evaluated": {
      const { step, val_loss } = event.data;
      return { ...history, validation: merge(history.validation, { steps: [step], values: [val_loss] }) };
    }
    case "run.sampled": {
      const others = history.samples.filter((sample) => sample.step !== event.data.step);
      return { ...history, samples: [event.data, ...others].slice(0, SAMPLES) };
    }
    default:
      return history;
  }
}
