import { describe, expect, test } from "bun:test";
import {
  addPoints,
  bucketWidth,
  cutCurve,
  emptyCurve,
  MAX_BUCKETS,
  pointsOf,
  smoothed,
  storedCurve,
} from "#src/web/buckets.js";

type Point = { step: number; loss: number | null };

/** Losses as a small model's: a steep fall, then a slow one, and noise that is the same at each call. */
function losses(steps: number): number[] {
  let state = 1;
  const noise = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31 - 0.5;
  };
  return Array.from(
    { length: steps },
    (_, i) => 1.6 + 2.5 * Math.exp(-i / 90) + 0.3 * Math.exp(-i / 8000) + 0.4 * noise(),
  );
}

const pointsFrom = (values: number[]): Point[] => values.map((loss, i) => ({ step: i + 1, loss }));
const meanOf = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The line's value at a step: between its points it is straight. */
function drawnAt(step: number, { at, mean }: { at: number[]; mean: (number | null)[] }): number {
  const i = Math.max(1, at.findIndex((x) => x >= step));
  const share = (step - at[i - 1]) / (at[i] - at[i - 1]);
  return mean[i - 1]! + share * (mean[i]! - mean[i - 1]!);
}

describe("a curve of 30,000 steps", () => {
  const steps = 30_000;
  const values = losses(steps);
  const points = pointsFrom(values);
  const width = bucketWidth(steps);
  const stored = addPoints(emptyCurve(width), points);

  test("has buckets of equal width, each point in one of them", () => {
    expect([width, stored.starts.length, stored.starts.at(-1), pointsOf(stored)]).toEqual([15, 2000, 29_986, steps]);
    expect(stored.mean[100]).toBeCloseTo(meanOf(values.slice(1500, 1515)), 12);
    expect([stored.min[7], stored.max[7]]).toEqual([
      Math.min(...values.slice(105, 120)),
      Math.max(...values.slice(105, 120)),
    ]);
  });

  test("is drawn as the mean over 601 steps, at every step that has so many around it", () => {
    const line = smoothed(stored, steps / 100);
    let worst = 0;
    let sum = values.slice(0, 601).reduce((a, b) => a + b, 0);
    for (let step = 301; step <= steps - 300; step++) {
      worst = Math.max(worst, Math.abs(drawnAt(step, line) - sum / 601));
      sum += (values[step + 300] ?? 0) - values[step - 301];
    }
    expect(worst).toBeLessThan(0.005);
    expect([line.at[0], line.at.at(-1)]).toEqual([1, steps]);
  });

  test("is the same live, in bursts of any size and with replays, as read at once", () => {
    let live = emptyCurve(width);
    for (let from = 0, burst = 1; from < steps; from += burst, burst = burst * 7 % 97 + 1) {
      live = addPoints(live, points.slice(Math.max(0, from - 5), from + burst));
    }
    expect(live).toEqual(stored);
    // A page that is loaded half-way reads full buckets and the points after them, and folds the rest in as it comes.
    const { starts, mean, min, max, count } = addPoints(emptyCurve(width), points.slice(0, 15_000));
    const half = storedCurve(width, {
      train: { steps: starts, mean, min, max, count, from_step: 1, bucket_steps: width },
      tail: { steps: [15_001, 15_002], values: values.slice(15_000, 15_002) },
    });
    expect(half.lastStep).toBe(15_002);
    expect(addPoints(half, points.slice(14_000))).toEqual(stored);
  });
});

test("a run of no more steps than buckets keeps each of them", () => {
  expect([1, 200, MAX_BUCKETS, MAX_BUCKETS + 1, 4_000_000].map(bucketWidth)).toEqual([1, 1, 1, 2, 2000]);
  const curve = addPoints(emptyCurve(1), pointsFrom([3, 2, 1]));
  expect(curve).toMatchObject({ starts: [1, 2, 3], mean: [3, 2, 1], min: [3, 2, 1], max: [3, 2, 1], lastStep: 3 });
});

test("a loss that was not finite has its place, and no part in a mean", () => {
  const curve = addPoints(emptyCurve(2), [
    { step: 1, loss: null },
    { step: 2, loss: 4 },
    { step: 3, loss: null },
    { step: 4, loss: null },
    { step: 5, loss: 2 },
  ]);
  expect(curve).toMatchObject({ mean: [4, null, 2], min: [4, null, 2], count: [1, 0, 1], lastStep: 5 });
  expect(pointsOf(curve)).toBe(2);
  const { mean } = smoothed(curve, 10);
  expect(mean.every((value) => value === null || (value >= 2 && value <= 4))).toBe(true);
});

describe("the smoothed line", () => {
  test("leaves a constant alone, from the first point on", () => {
    const curve = addPoints(emptyCurve(3), pointsFrom(Array(50).fill(2)));
    for (const value of smoothed(curve, 10).mean) expect(value).toBeCloseTo(2, 12);
  });

  test("does not lag where a young run falls fast: it begins with its first loss", () => {
    const values = losses(60);
    const { at, mean } = smoothed(addPoints(emptyCurve(1), pointsFrom(values)), 300);
    expect([at[0], mean[0]]).toEqual([1, values[0]]);
    expect(Math.abs(mean.at(-1)! - meanOf(values.slice(-4)))).toBeLessThan(0.2);
  });

  test("forgets a loss that went astray once it is out of sight", () => {
    const values = [2, 2, 1e20, ...Array(40).fill(2)];
    expect(smoothed(addPoints(emptyCurve(1), pointsFrom(values)), 2).mean.slice(10)).toEqual(Array(33).fill(2));
  });

  test("of nothing is nothing", () => {
    expect(smoothed(emptyCurve(15), 300)).toEqual({ at: [], mean: [], min: [], max: [] });
  });
});

describe("a return to a checkpoint", () => {
  const curve = addPoints(emptyCurve(3), pointsFrom([9, 9, 9, 6, 6, 6, 3, 3]));

  test("drops what came after it, and says whether the rest is what it was", () => {
    expect(cutCurve(curve, 6)).toEqual({
      curve: addPoints(emptyCurve(3), pointsFrom([9, 9, 9, 6, 6, 6])),
      exact: true,
    });
    expect(cutCurve(curve, 4)).toMatchObject({ curve: { starts: [1, 4], count: [3, 1], lastStep: 4 }, exact: false });
    expect(cutCurve(curve, 0)).toEqual({ curve: emptyCurve(3), exact: true });
  });

  test("to the newest step or beyond leaves the same curve", () => {
    expect(cutCurve(curve, 8).curve).toBe(curve);
    expect(cutCurve(curve, 11)).toEqual({ curve, exact: true });
  });
});
