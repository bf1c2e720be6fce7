// @ts-check

/** @import { Losses } from "./types.d.ts" */

/**
 * A metric over steps as charts draw it: buckets of equal width, each with its mean, its extremes and its count, however
 * long a run is. The service folds stored points, the page folds live ones, into the same buckets: bucket i holds the
 * steps i·width + 1 … (i + 1)·width. A `Curve` is never changed in place, so a view may keep the one that it drew. Pure.
 *
 * @typedef {object} Curve
 * @property {number} width steps of a bucket
 * @property {readonly number[]} starts the first step of each bucket that has points, ascending
 * @property {readonly (number | null)[]} mean null if no loss in the bucket was finite
 * @property {readonly (number | null)[]} min
 * @property {readonly (number | null)[]} max
 * @property {readonly number[]} count finite points in each
 * @property {number} lastStep up to which points are in it, 0 for none
 */

/**
 * Buckets of a curve at most: two on each pixel of a wide chart. At 30,000 steps a bucket has 15, and a mean over 601
 * steps that ends within two of them is off by 0.002 where the loss falls by 0.03 a step.
 */
export const MAX_BUCKETS = 2000;

/** @param {number} maxSteps of the run @returns {number} steps of a bucket, so that its curve has at most `MAX_BUCKETS` */
export const bucketWidth = (maxSteps) => Math.max(1, Math.ceil(maxSteps / MAX_BUCKETS));

/** @param {number} width @returns {Curve} */
export const emptyCurve = (width) => ({ width, starts: [], mean: [], min: [], max: [], count: [], lastStep: 0 });

/** @param {number} step @param {number} width */
const startOf = (step, width) => step - (step - 1) % width;

/**
 * The stored curve.
 * @param {number} width
 * @param {Pick<Losses, "train" | "tail">} losses buckets of this width, all full, and the points after them
 * @returns {Curve}
 */
export function storedCurve(width, { train, tail }) {
  let curve = emptyCurve(width);
  const start = train?.steps.at(-1);
  if (train !== undefined && start !== undefined) {
    const { steps, mean, min, max, count } = train;
    const lastStep = startOf(start, width) + width - 1;
    curve = { width, starts: steps.map((step) => startOf(step, width)), mean, min, max, count, lastStep };
  }
  if (tail === undefined) return curve;
  return addPoints(curve, tail.steps.map((step, i) => ({ step, loss: tail.values[i] })));
}

/**
 * `curve` with the points after its last step; those up to it are there already, so a replayed event changes nothing.
 * @param {Curve} curve
 * @param {readonly { step: number, loss: number | null }[]} points by ascending step
 * @returns {Curve}
 */
export function addPoints(curve, points) {
  const fresh = points.filter(({ step }) => step > curve.lastStep);
  const newest = fresh.at(-1);
  if (newest === undefined) return curve;
  const { width } = curve;
  const starts = [...curve.starts], count = [...curve.count];
  const mean = [...curve.mean], min = [...curve.min], max = [...curve.max];
  for (const { step, loss } of fresh) {
    const start = startOf(step, width);
    if (starts.at(-1) !== start) {
      starts.push(start);
      count.push(0);
      for (const column of [mean, min, max]) column.push(null);
    }
    if (loss === null) continue;
    const i = starts.length - 1;
    count[i]++;
    mean[i] = (mean[i] ?? 0) + (loss - (mean[i] ?? 0)) / count[i];
    min[i] = Math.min(min[i] ?? loss, loss);
    max[i] = Math.max(max[i] ?? loss, loss);
  }
  return { width, starts, mean, min, max, count, lastStep: newest.step };
}

/**
 * The curve up to and with `step`: what stands after a run went back to a checkpoint. A bucket that `step` divides keeps
 * the mean of all its points, which is not what it was: then the curve wants to be read again.
 * @param {Curve} curve
 * @param {number} step
 * @returns {{ curve: Curve, exact: boolean }} the same curve if it has nothing after `step`
 */
export function cutCurve(curve, step) {
  if (step >= curve.lastStep) return { curve, exact: true };
  const end = curve.starts.findLastIndex((start) => start <= step) + 1;
  const { width } = curve;
  const count = curve.count.slice(0, end);
  const kept = end === 0 ? 0 : step - curve.starts[end - 1] + 1;
  const divided = end > 0 && kept < Math.min(width, curve.lastStep - curve.starts[end - 1] + 1);
  if (divided) count[end - 1] = Math.min(kept, count[end - 1]);
  return {
    curve: {
      width,
      starts: curve.starts.slice(0, end),
      mean: curve.mean.slice(0, end),
      min: curve.min.slice(0, end),
      max: curve.max.slice(0, end),
      count,
      lastStep: step,
    },
    exact: !divided,
  };
}

/** @param {Curve} curve @returns {number} finite points in it */
export const pointsOf = ({ count }) => count.reduce((sum, n) => sum + n, 0);

/** The share of the run that the mean looks back on at its newest steps: early, where a loss falls fast, it must not lag. */
const LOOKBACK = 1 / 20;

/**
 * The mean over `half` steps on either side, weighted by count: 601 steps for a `half` of 300. Near the start it takes
 * what there is on both sides alike, so that it begins with the first point; near the newest step it looks back.
 * A window that begins or ends within a bucket takes a part of it.
 * @param {Curve} curve
 * @param {number} half
 * @returns {{ at: number[], mean: (number | null)[], min: (number | null)[], max: (number | null)[] }} by ascending place
 *   on the axis of steps: the middle of each bucket, the first and the last step, and the first with a whole window. `min` and `max` are the
 *   bucket's own.
 */
export function smoothed(curve, half) {
  const { starts, width, lastStep } = curve;
  const extent = starts.map((start) => Math.min(width, lastStep - start + 1));
  const places = starts.map((start, i) => ({ at: start + (extent[i] - 1) / 2, bucket: i }));
  // The ends, and the step from which on the window is whole: the line bends there.
  for (const at of [starts[0], starts[0] + half, lastStep]) {
    const bucket = starts.findLastIndex((start) => start <= at);
    if (bucket >= 0 && at <= lastStep && places.every((place) => place.at !== at)) places.push({ at, bucket });
  }
  places.sort((a, b) => a.at - b.at);

  const mean = places.map(({ at, bucket }) => {
    const back = at - starts[0], ahead = lastStep - at;
    const right = Math.min(half, back, ahead);
    const left = Math.min(half, back, Math.max(right, at * LOOKBACK));
    return meanWithin(curve, extent, bucket, at - left - 0.5, at + right + 0.5);
  });
  return {
    at: places.map(({ at }) => at),
    mean,
    min: places.map(({ bucket }) => curve.min[bucket]),
    max: places.map(({ bucket }) => curve.max[bucket]),
  };
}

/**
 * The mean of the losses from one place between steps to another. It sums its window alone: the difference of two sums
 * over the whole run would lose everything after a loss of 1e20.
 * @param {Curve} curve
 * @param {number[]} extent steps that each bucket spans so far
 * @param {number} bucket one that the window touches
 * @param {number} from
 * @param {number} to
 * @returns {number | null} null if no loss in it is finite
 */
function meanWithin({ starts, mean, count }, extent, bucket, from, to) {
  let first = bucket;
  while (first > 0 && starts[first - 1] - 0.5 + extent[first - 1] > from) first--;
  let sum = 0, total = 0;
  for (let i = first; i < starts.length && starts[i] - 0.5 < to; i++) {
    const begin = starts[i] - 0.5;
    const inside = Math.min(to, begin + extent[i]) - Math.max(from, begin);
    const points = count[i] * inside / extent[i];
    sum += points * (mean[i] ?? 0);
    total += points;
  }
  return total > 0 ? sum / total : null;
}
