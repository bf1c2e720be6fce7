import { describe, expect, test } from "bun:test";
import { IGNORED_TARGET, TrainingBatches } from "#src/data/batches.ts";
import { resolveRunConfig, RunRequest, type RunRequestInput, windowsIn, windowsToTrain } from "#src/train/config.ts";

/** A corpus that trains whole. */
function configOf(tokens: number, request: Partial<RunRequestInput>) {
  const body = { dataset: "text", validation_fraction: 0, context_length: 8, batch_size: 4, ...request };
  return resolveRunConfig(RunRequest.parse(body), { name: "text", distinctCharacters: 20, tokens });
}

/** Tokens of 8 per window, the first aside. */
const tokensOf = (windows: number) => 8 * windows + 1;

describe("epochs", () => {
  test.each([
    // windows, batch, accumulation, epochs → steps and windows
    [7, 4, 1, 1, 2, 7],
    [7, 12, 1, 1, 1, 7],
    [7, 3, 2, 3, 4, 21],
    [8, 4, 1, 2, 4, 16],
    [10, 1, 1, 1.1, 11, 11],
    [7, 2, 1, 0.5, 2, 4],
    [7, 2, 1, 0.01, 1, 1],
    [1, 5, 3, 1, 1, 1],
  ])(
    "of %d windows, %d × %d a step, %p times: %d steps, %d windows",
    (windows, batch, accumulation, epochs, steps, all) => {
      const shape = { batch_size: batch, gradient_accumulation_steps: accumulation };
      const config = configOf(tokensOf(windows), { ...shape, epochs });
      expect(windowsIn(tokensOf(windows), 8)).toBe(windows);
      expect(config.max_steps).toBe(steps);
      expect(windowsToTrain(config, windows)).toBe(all);
    },
  );

  test("max_steps may end a run before its epochs do", () => {
    const config = configOf(tokensOf(7), { epochs: 10, max_steps: 3 });
    expect([config.max_steps, windowsToTrain(config, 7)]).toEqual([3, 12]);
    expect(windowsToTrain(configOf(tokensOf(7), { max_steps: 3 }), 7)).toBe(12);
  });

  test("a run that was planned with a step too many trains whole batches: none is empty", () => {
    const config = { ...configOf(tokensOf(10), { epochs: 1.1, batch_size: 1 }), max_steps: 12 };
    expect(windowsToTrain(config, 10)).toBe(12);
  });

  test.each([[57, 8, 4, 1], [57, 8, 12, 1], [60, 8, 5, 3], [101, 7, 3, 2]])(
    "%d tokens in windows of %d, %d at a time, %d times over: each but the first is a target that often",
    (length, contextLength, batchSize, epochs) => {
      const config = configOf(length, { context_length: contextLength, batch_size: batchSize, epochs });
      const tokens = Uint16Array.from({ length }, (_, i) => i);
      const source = { length, read: (offset: number, count: number) => tokens.subarray(offset, offset + count) };
      const batches = new TrainingBatches(source, { contextLength, batchSize, seed: 3 });
      batches.end = windowsToTrain(config, batches.windowCount);
      const seen = new Array<number>(length).fill(0);
      for (let step = 0; step < config.max_steps; step++) {
        const { targets, targetCount } = batches.next();
        expect(targetCount).toBeGreaterThan(0);
        for (const target of targets) if (target !== IGNORED_TARGET) seen[target]++;
      }
      expect(batches.epoch).toBe(epochs);
      expect(seen).toEqual([0, ...new Array<number>(length - 1).fill(epochs)]);
      expect(batches.next().targetCount).toBe(0);
    },
  );
});

test("every: 0 is taken wherever something comes every so many steps, and on_best is on unless switched off", () => {
  const zero = { every: 0 };
  const config = configOf(100, { eval: zero, sample: zero, checkpoint: zero });
  expect([config.eval.every, config.sample.every, config.checkpoint.every]).toEqual([0, 0, 0]);
  expect(config.checkpoint.on_best).toBe(true);
  expect(configOf(100, { checkpoint: { on_best: false } }).checkpoint.on_best).toBe(false);
  expect(() => configOf(100, { eval: { every: -1 } })).toThrow();
});
