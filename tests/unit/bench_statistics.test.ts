import { describe, expect, test } from "bun:test";
import { pairedRatio, summarize } from "../../bench/statistics.ts";

describe("summarize", () => {
  test("quartiles lie between ranks, whatever the order", () => {
    const expected = { count: 4, min: 1, q1: 1.75, median: 2.5, q3: 3.25, max: 4 };
    expect(summarize([4, 1, 3, 2])).toEqual(expected);
  });

  test("one value is all of them", () => {
    expect(summarize([5])).toEqual({ count: 1, min: 5, q1: 5, median: 5, q3: 5, max: 5 });
  });

  test("sorts numbers, not words, and leaves its argument alone", () => {
    const values = [10, 9, 100];
    expect(summarize(values).median).toBe(10);
    expect(values).toEqual([10, 9, 100]);
  });

  test("nothing has no median", () => {
    expect(() => summarize([])).toThrow(RangeError);
  });
});

describe("pairedRatio", () => {
  test("noise that hits both of a round cancels", () => {
    expect(pairedRatio([20, 200, 20], [10, 100, 10])).toBe(2);
    // The ratio of the medians would say 1.
    expect(pairedRatio([1, 30, 30], [10, 10, 30])).toBe(1);
    expect(pairedRatio([2, 40, 60], [1, 10, 10])).toBe(4);
  });

  test("only rounds that both took part in count", () => {
    expect(pairedRatio([30], [10, 1, 1])).toBe(3);
    expect(pairedRatio([], [10])).toBeNull();
  });
});
