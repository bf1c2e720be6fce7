// @ts-check
import { cutAfter, EMPTY_SERIES, merge } from "./series.js";

/** @import { Metrics, Run, RunEvent, RunStatus, Sample, SampledEvent, Series } from "./types.d.ts" */

/**
 * What the page knows of runs, as folds over their events. Pure: no DOM, no network. Applying events to a state that is
 * ahead of them (a replay, or history read after they were sent) ends in the same state as applying them in time.
 *
 * @typedef {object} RunHistory what a run did, beyond its row
 * @property {Series} train
 * @property {Series} validation
 * @property {Sample[]} samples newest first
 * @property {number | null} learningRate
 * @property {number | null} tokensPerSecond
 * @property {number | null} etaSeconds as of the last progress
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
 * @param {Metrics} metrics
 * @param {SampledEvent[]} samples newest first
 * @returns {RunHistory}
 */
export function storedHistory(run, metrics, samples) {
  return {
    train: metrics.series["train/loss"] ?? EMPTY_SERIES,
    validation: metrics.series["val/loss"] ?? EMPTY_SERIES,
    samples: standing(samples.map((event) => event.data), run.step),
    learningRate: run.last_metrics?.["train/lr"] ?? null,
    tokensPerSecond: run.last_metrics?.["train/tokens_per_second"] ?? null,
    etaSeconds: null,
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
      next.last_metrics = { ...run.last_metrics, "train/loss": event.data.points.at(-1)?.loss ?? null };
      break;
    case "run.evaluated":
      next.last_metrics = { ...run.last_metrics, "val/loss": event.data.val_loss };
      break;
  }
  return next;
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
      return {
        ...history,
        train: cutAfter(history.train, step),
        validation: cutAfter(history.validation, step),
        samples: history.samples.filter((sample) => sample.step <= step),
      };
    }
    case "run.progress": {
      const { points, tokens_per_second, eta_seconds } = event.data;
      return {
        ...history,
        train: merge(history.train, { steps: points.map((p) => p.step), values: points.map((p) => p.loss) }),
        learningRate: points.at(-1)?.lr ?? history.learningRate,
        tokensPerSecond: tokens_per_second,
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
