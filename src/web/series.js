// @ts-check

/** @import { Series } from "./types.d.ts" */
/** A `Series` is never changed in place: each function here gives a new one, so a view may keep the one it drew. */

/** @type {Series} */
export const EMPTY_SERIES = Object.freeze({ steps: Object.freeze([]), values: Object.freeze([]) });

/**
 * `series` with `points` written over it: a step that is there already takes the new value, so a replayed event leaves
 * one point a step. Both ascend.
 * @param {Series} series
 * @param {Series} points
 * @returns {Series}
 */
export function merge(series, points) {
  if (points.steps.length === 0) return series;
  const last = series.steps.at(-1);
  if (last === undefined || points.steps[0] > last) {
    return { steps: series.steps.concat(points.steps), values: series.values.concat(points.values) };
  }
  /** @type {number[]} */
  const steps = [];
  /** @type {(number | null)[]} */
  const values = [];
  for (let i = 0, j = 0; i < series.steps.length || j < points.steps.length;) {
    const old = series.steps[i] ?? Infinity;
    const fresh = points.steps[j] ?? Infinity;
    steps.push(Math.min(old, fresh));
    values.push(fresh <= old ? points.values[j] : series.values[i]);
    if (old <= fresh) i++;
    if (fresh <= old) j++;
  }
  return { steps, values };
}

/**
 * The points up to and with `step`: what stands after a run went back to a checkpoint.
 * @param {Series} series
 * @param {number} step
 * @returns {Series}
 */
export function cutAfter(series, step) {
  const end = series.steps.findLastIndex((s) => s <= step) + 1;
  if (end === series.steps.length) return series;
  return { steps: series.steps.slice(0, end), values: series.values.slice(0, end) };
}

/**
 * @param {Series} series
 * @returns {{ step: number, value: number | null } | null}
 */
export function lastPoint(series) {
  const step = series.steps.at(-1);
  return step === undefined ? null : { step, value: series.values.at(-1) ?? null };
}

/**
 * Curves of their own steps as columns over one axis, with null where a curve has no point: what the chart draws. Linear
 * in the points, because a live chart does it several times a second.
 * @param {{ steps: readonly number[], columns: readonly (readonly (number | null)[])[] }} left
 * @param {{ steps: readonly number[], columns: readonly (readonly (number | null)[])[] }} right
 * @returns {{ steps: number[], columns: (number | null)[][] }} the left columns, then the right ones
 */
export function align(left, right) {
  /** @type {number[]} */
  const steps = [];
  const columns = [...left.columns, ...right.columns].map(() => /** @type {(number | null)[]} */ ([]));
  for (let i = 0, j = 0; i < left.steps.length || j < right.steps.length;) {
    const step = Math.min(left.steps[i] ?? Infinity, right.steps[j] ?? Infinity);
    const inLeft = left.steps[i] === step;
    const inRight = right.steps[j] === step;
    steps.push(step);
    left.columns.forEach((column, c) => columns[c].push(inLeft ? column[i] : null));
    right.columns.forEach((column, c) => columns[left.columns.length + c].push(inRight ? column[j] : null));
    if (inLeft) i++;
    if (inRight) j++;
  }
  return { steps, columns };
}
