import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Curve } from "#src/runs/curve.ts";
import { Reading } from "#src/runs/reading.ts";
import type { StepPoint } from "#src/train/protocol.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.open();
});
afterAll(() => fixture.close());

/** The curve of a new run with these losses at steps 1, 2, …; a hole is a step without a point. */
async function curveOf(losses: (number | undefined)[], from = 0, to = 1e9): Promise<Curve> {
  const id = await fixture.run();
  const { db, metrics } = fixture.reverie;
  const rest = { lr: 1, grad_norm: 1, tokens_per_second: 1, step_ms: 1, mfu: 1, epoch: 1 };
  const points = losses.map((loss, i) => ({ step: i + 1, loss, ...rest })).filter(({ loss }) => loss !== undefined);
  db.transaction(() => metrics.addTrainPoints(id, points as StepPoint[]));
  return metrics.curve(id, "train/loss", from, to);
}

const wave = (length: number) => Array.from({ length }, (_, i) => Math.sin(i / 7) + i / 500);

describe("extremes", () => {
  const extremes = async (losses: (number | undefined)[], maxPoints: number) =>
    (await curveOf(losses)).extremes(maxPoints, new Reading());

  test("few points stay as they are", async () => {
    expect(await extremes([3, 1, NaN], 3)).toEqual({ steps: [1, 2, 3], values: [3, 1, null], total_points: 3 });
    expect(await extremes([], 3)).toEqual({ steps: [], values: [], total_points: 0 });
  });

  test.each([2, 3, 4, 5, 7, 10, 100, 999])(
    "at most %d points, ascending, the first and the last among them",
    async (max) => {
      const values = wave(1000);
      const { steps, values: kept, total_points } = await extremes(values, max);
      expect(total_points).toBe(1000);
      expect(steps.length).toBeLessThanOrEqual(max);
      expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
      expect([steps[0], steps.at(-1)]).toEqual([1, 1000]);
      steps.forEach((step, i) => expect(kept[i]).toBe(values[step - 1]));
    },
  );

  test.each([4, 5, 10, 100, 999])("of %d points two are the overall extremes", async (max) => {
    const values = wave(1000);
    values[123] = 99;
    values[456] = -99;
    expect((await extremes(values, max)).values).toEqual(expect.arrayContaining([99, -99]));
  });

  test.each([5, 6, 50])(
    "of %d points, a spike in the same bucket as a NaN survives, and so does the NaN",
    async (max) => {
      const values = wave(1000);
      values[500] = 99;
      values[501] = NaN;
      values[502] = -99;
      const kept = await extremes(values, max);
      expect(kept.values).toEqual(expect.arrayContaining([99, null, -99]));
      expect(kept.steps.length).toBeLessThanOrEqual(max);
    },
  );

  test("never more than asked for, wherever the holes and the NaNs are", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const losses = wave(300).map((value, i) => {
        const at = Math.imul(i + 1, 2654435761 * seed) >>> 0;
        return at % 5 === 0 ? NaN : at % 7 === 0 ? undefined : value;
      });
      const max = 2 + seed * 3;
      const { steps } = await extremes(losses, max);
      expect(steps.length).toBeLessThanOrEqual(max);
      const present = losses.flatMap((loss, i) => loss === undefined ? [] : i + 1);
      expect([steps[0], steps.at(-1)]).toEqual([present[0], present.at(-1)!]);
    }
  });

  test("a flat bucket is one point", async () => {
    expect((await extremes([5, 5, 5, 5, 5, 5], 4)).values).toEqual([5, 5, 5]);
  });
});

describe("buckets", () => {
  test("of equal ranges of steps: mean, minimum, maximum and count", async () => {
    const kept = await (await curveOf([1, 2, 3, 4, 5, 6, 7])).buckets(3, new Reading());
    expect(kept).toEqual({
      steps: [1, 4, 7],
      mean: [2, 5, 7],
      min: [1, 4, 7],
      max: [3, 6, 7],
      count: [3, 3, 1],
      nonfinite: [0, 0, 0],
      from_step: 1,
      bucket_steps: 3,
      total_points: 7,
    });
  });

  test("values that are not finite are counted, and are in no mean; a range without points has no bucket", async () => {
    const hole = undefined;
    const kept = await (await curveOf([1, NaN, Infinity, -Infinity, hole, hole, hole, 8])).buckets(4, new Reading());
    expect(kept).toMatchObject({ steps: [1, 3, 8], mean: [1, null, 8], min: [1, null, 8], count: [1, 0, 1] });
    expect(kept).toMatchObject({ nonfinite: [1, 2, 0], bucket_steps: 2, total_points: 5 });
  });

  test("over a range of steps that is longer than what is added up at once", async () => {
    const values = wave(50_000);
    const kept = await (await curveOf(values, 101, 45_100)).buckets(1, new Reading());
    const within = values.slice(100, 45_100);
    expect(kept).toMatchObject({ steps: [101], count: [45_000], bucket_steps: 45_000 });
    expect([kept.min[0], kept.max[0]]).toEqual([Math.min(...within), Math.max(...within)]);
    expect(kept.mean[0]).toBeCloseTo(within.reduce((sum, value) => sum + value) / 45_000, 9);
  });

  test.each([1, 7, 100, 999, 1000, 2000])("at most %d, which together hold every point", async (count) => {
    const kept = await (await curveOf(wave(1000))).buckets(count, new Reading());
    expect(kept.steps.length).toBeLessThanOrEqual(count);
    expect(kept.count.reduce((sum, n) => sum + n)).toBe(1000);
    kept.steps.forEach((step, i) => expect(Math.floor((step - kept.from_step) / kept.bucket_steps)).toBe(i));
  });

  test("of no points there are none", async () => {
    expect(await (await curveOf([])).buckets(5, new Reading())).toMatchObject({ steps: [], mean: [], total_points: 0 });
  });
});

test("a reading whose client is gone ends at its next turn", async () => {
  const curve = await curveOf(wave(50_000));
  const reading = new Reading();
  const kept = curve.buckets(1, reading);
  reading.abandon();
  expect(await kept.catch(() => "ended")).toBe("ended");
});

test("points of a run that is deleted meanwhile are not taken for all there are", async () => {
  const id = await fixture.run();
  fixture.reverie.metrics.setValPoint(id, { step: 1, loss: 1, perplexity: 1, bpb: 1 });
  const slices = fixture.reverie.metrics.curve(id, "val/loss", 0, 9).slices();
  fixture.reverie.runner.act("cancel", id);
  await fixture.reverie.runner.remove(id);
  expect(() => [...slices]).toThrow("deleted");
});
