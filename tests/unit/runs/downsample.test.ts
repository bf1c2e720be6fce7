import { describe, expect, test } from "bun:test";
import { downsample } from "#src/runs/downsample.ts";

const curve = (values: number[]) => ({ steps: values.map((_, i) => i + 1), values });

describe("downsample", () => {
  test("few points stay as they are", () => {
    const points = curve([3, 1, 2]);
    expect(downsample(points, 3)).toEqual(points);
  });

  test.each([2, 3, 7, 10, 100, 999])("at most %d points, ascending, with the overall extremes", (maxPoints) => {
    const values = Array.from({ length: 1000 }, (_, i) => Math.sin(i / 7) + i / 500);
    values[123] = 99;
    values[456] = -99;
    const kept = downsample(curve(values), maxPoints);
    expect(kept.steps.length).toBeLessThanOrEqual(maxPoints);
    expect(kept.steps).toEqual(kept.steps.toSorted((a, b) => a - b));
    expect(new Set(kept.steps).size).toBe(kept.steps.length);
    expect(kept.values).toContain(99);
    expect(kept.values).toContain(-99);
    kept.steps.forEach((step, i) => expect(kept.values[i]).toBe(values[step - 1]));
  });

  test("a NaN is the extreme one looks for", () => {
    const values = Array.from({ length: 100 }, () => 1);
    values[50] = NaN;
    expect(downsample(curve(values), 4).values.some(Number.isNaN)).toBe(true);
  });

  test("a flat bucket is one point", () => {
    expect(downsample(curve([5, 5, 5, 5, 5, 5]), 4).values).toEqual([5, 5]);
  });
});
