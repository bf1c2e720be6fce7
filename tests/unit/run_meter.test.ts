import { expect, test } from "bun:test";
import { describe as describeRun, deviceLimits } from "#src/model/describe.ts";
import { resolveRunConfig, RunRequest, workloadOf } from "#src/train/config.ts";
import { RunMeter } from "#src/train/run_meter.ts";
import type { StepResult } from "#src/train/trainer.ts";
import { FAKE_DEVICE } from "./runs/fake_trainer.ts";

const config = resolveRunConfig(RunRequest.parse({ dataset: "text", max_steps: 1000, batch_size: 4 }), {
  name: "text",
  distinctCharacters: 65,
  tokens: 100_000,
});
const { flopsPerStep } = describeRun(workloadOf(config), deviceLimits(FAKE_DEVICE));
/** The time of a step that reaches this share of the fake device's peak. */
const msAt = (share: number) => flopsPerStep / (1e6 * FAKE_DEVICE.measured.gflops * share);

const results = (from: number, to: number): StepResult[] =>
  Array.from({ length: to - from + 1 }, (_, i) => {
    const step = from + i;
    return { step, loss: 1, lr: 1e-3, gradNorm: 1, targets: 256, position: 4 * step };
  });

test("utilisation is a share of the peak, and unknown while the device is faster than that", () => {
  let now = 0;
  const meter = new RunMeter(config, FAKE_DEVICE, () => now);
  const mfu = (share: number) => meter.points(results(1, 1), msAt(share), 100)[0].mfu;
  expect(meter.isPeakStale).toBe(false);
  expect(mfu(0.5)).toBeCloseTo(0.5);
  expect(meter.isPeakStale).toBe(false);
  expect(mfu(1.42)).toBeNull();
  expect(meter.isPeakStale).toBe(true);

  // Measured again, it is twice what it was: as much work is half the share.
  meter.remeasured(2 * FAKE_DEVICE.measured.gflops);
  expect(meter.isPeakStale).toBe(false);
  expect(mfu(1.42)).toBeCloseTo(0.71);

  // A lower measurement says that the machine is busy now.
  now += 60_000;
  meter.remeasured(FAKE_DEVICE.measured.gflops / 3);
  expect(mfu(1.42)).toBeCloseTo(0.71);

  // One that does not help is not repeated at once.
  expect(mfu(2.5)).toBeNull();
  expect(meter.isPeakStale).toBe(false);
  now += 59_999;
  expect(meter.isPeakStale).toBe(false);
  now += 1;
  expect(meter.isPeakStale).toBe(true);
});

test("no share is ever above 1", () => {
  const meter = new RunMeter(config, FAKE_DEVICE, () => 0);
  for (let share = 0.01; share < 10; share *= 1.07) {
    const [{ mfu }] = meter.points(results(1, 1), msAt(share), 100);
    expect(mfu === null ? share > 1 : mfu <= 1 && share < 1.0001).toBe(true);
  }
});

test("the epoch of a step has the same bits, whatever the bursts", () => {
  const whole = new RunMeter(config, FAKE_DEVICE).points(results(1, 500), 1, 391).map(({ epoch }) => epoch);
  for (const length of [1, 2, 3, 7, 99]) {
    const meter = new RunMeter(config, FAKE_DEVICE);
    const parts: number[] = [];
    for (let from = 1; from <= 500; from += length) {
      parts.push(...meter.points(results(from, Math.min(500, from + length - 1)), 1, 391).map(({ epoch }) => epoch));
    }
    expect(parts).toEqual(whole);
  }
  expect(whole[390]).toBe(4);
});
