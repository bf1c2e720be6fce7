import { describe, expect, test } from "bun:test";
import { align, cutAfter, EMPTY_SERIES, lastPoint, merge } from "#src/web/series.js";

const series = (steps: number[], values: (number | null)[] = steps) => ({ steps, values });

describe("merge", () => {
  test("appends what lies past the end", () => {
    expect(merge(series([1, 2]), series([3, 4]))).toEqual(series([1, 2, 3, 4]));
    expect(merge(EMPTY_SERIES, series([5]))).toEqual(series([5]));
  });

  test("writes a replayed step over: each step stays one point", () => {
    expect(merge(series([1, 2, 3, 5], [9, 9, 9, 9]), series([2, 3, 4], [20, 30, 40])))
      .toEqual(series([1, 2, 3, 4, 5], [9, 20, 30, 40, 9]));
  });

  test("is idempotent, leaves its arguments alone, and keeps a loss that was not finite", () => {
    const before = series([1, 2], [4, null]);
    const once = merge(before, series([2, 3], [null, 3]));
    expect(merge(once, series([2, 3], [null, 3]))).toEqual(once);
    expect(once).toEqual(series([1, 2, 3], [4, null, 3]));
    expect(before).toEqual(series([1, 2], [4, null]));
    expect(merge(before, EMPTY_SERIES)).toBe(before);
  });
});

test("cutAfter keeps the points up to a step, and the same object when it drops none", () => {
  const whole = series([1, 2, 3]);
  expect(cutAfter(whole, 2)).toEqual(series([1, 2]));
  expect(cutAfter(whole, 0)).toEqual(series([]));
  expect(cutAfter(whole, 3)).toBe(whole);
});

test("lastPoint is the newest step, or null", () => {
  expect(lastPoint(EMPTY_SERIES)).toBeNull();
  expect(lastPoint(series([1, 7], [3, null]))).toEqual({ step: 7, value: null });
});

test("align puts curves of different steps over one axis", () => {
  const left = { steps: [1, 2, 4], columns: [[10, 20, 40], [11, 21, 41]] };
  const right = { steps: [0, 2, 5], columns: [[7, 8, 9]] };
  expect(align(left, right)).toEqual({
    steps: [0, 1, 2, 4, 5],
    columns: [[null, 10, 20, 40, null], [null, 11, 21, 41, null], [7, null, 8, null, 9]],
  });
  expect(align({ steps: [], columns: [[]] }, { steps: [], columns: [[]] })).toEqual({ steps: [], columns: [[], []] });
});
