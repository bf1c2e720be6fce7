import { expect, test } from "bun:test";
import { resolveRunConfig, RunRequest } from "#src/train/config.ts";
import { tuningBudget } from "#src/train/run_tuning.ts";
import { FAKE_DEVICE } from "./runs/fake_trainer.ts";

const configOf = (max_steps: number) =>
  resolveRunConfig(RunRequest.parse({ dataset: "text", max_steps }), {
    name: "text",
    distinctCharacters: 65,
    tokens: 100_000,
  });

test("tuning takes a tenth of a short run at most, and never more than 2.5 s", () => {
  const [one, two] = [1, 2].map((steps) => tuningBudget(configOf(steps), FAKE_DEVICE));
  expect(one).toBeGreaterThan(0);
  expect(two).toBeCloseTo(2 * one);
  const slow = { ...FAKE_DEVICE, measured: { ...FAKE_DEVICE.measured, gflops: FAKE_DEVICE.measured.gflops / 2 } };
  expect(tuningBudget(configOf(1), slow)).toBeCloseTo(two);
  expect(tuningBudget(configOf(1e6), FAKE_DEVICE)).toBe(2500);
});
