import { describe, expect, test } from "bun:test";
import {
  type Batch,
  type EvaluationBatch,
  IGNORED_TARGET,
  splitCorpus,
  TrainingBatches,
  ValidationBatches,
} from "../../src/data/batches.ts";
import type { TokenSource } from "../../src/data/token_shards.ts";

/** A source that, like the real one, gives every read the same buffer. */
function source(tokens: ArrayLike<number>): TokenSource {
  const buffer = new Uint16Array(tokens.length);
  return {
    length: tokens.length,
    read(offset, count) {
      if (offset < 0 || offset + count > tokens.length) throw new RangeError(`${offset}, ${count}`);
      for (let i = 0; i < count; i++) buffer[i] = tokens[offset + i];
      return buffer.subarray(0, count);
    },
  };
}

/** Every token different, so that it names its position. */
const positions = (length: number) => Array.from({ length }, (_, i) => i);
const copy = (batch: Batch) => structuredClone(batch);

/** Checks that targets follow inputs and padding is padding; returns the targets. */
function targetsOf(batch: EvaluationBatch): number[] {
  const targets: number[] = [];
  batch.targets.forEach((target, row) => {
    if (target === IGNORED_TARGET) return expect(batch.inputs[row]).toBe(0);
    expect(target).toBe(batch.inputs[row] + 1);
    targets.push(target);
  });
  expect(batch.targetCount).toBe(targets.length);
  return targets;
}

const ascending = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

describe("TrainingBatches", () => {
  const sizes: [number, number][] = [[2, 1], [9, 8], [10, 8], [16, 8], [17, 8], [18, 17], [100, 7], [1001, 17], [5, 8]];
  test.each(sizes)(
    "%d tokens in windows of %d: each but the first is a target once an epoch",
    (length, contextLength) => {
      const batches = new TrainingBatches(source(positions(length)), { contextLength, batchSize: 1, seed: 7 });
      for (let epoch = 0; epoch < 3; epoch++) {
        const targets: number[] = [];
        for (let i = 0; i < batches.windowCount; i++) targets.push(...targetsOf(batches.next()));
        expect(ascending(targets)).toEqual(positions(length).slice(1));
        expect(batches.epoch).toBe(epoch + 1);
      }
    },
  );

  test("a batch across the end of an epoch goes on in the next", () => {
    const options = { contextLength: 4, seed: 1 };
    const tokens = source(positions(4 * 7 + 1)); // 7 windows
    const one = new TrainingBatches(tokens, { ...options, batchSize: 1 });
    const five = new TrainingBatches(tokens, { ...options, batchSize: 5 });
    for (let i = 0; i < 7; i++) {
      const singles: number[] = [];
      for (let b = 0; b < 5; b++) singles.push(...one.next().inputs);
      expect([...five.next().inputs]).toEqual(singles);
      expect(five.position).toBe(one.position);
      expect(five.epoch).toBeCloseTo(5 * (i + 1) / 7, 12);
    }
  });

  test("goes on from any position exactly", () => {
    const tokens = source(positions(333));
    const options = { contextLength: 8, batchSize: 3, seed: 1337 };
    const whole = new TrainingBatches(tokens, options);
    const expected = Array.from({ length: 40 }, () => [whole.position, copy(whole.next())] as const);
    for (const [start, [position]] of expected.entries()) {
      const resumed = new TrainingBatches(tokens, { ...options, position });
      for (const [, batch] of expected.slice(start, start + 16)) {
        const { inputs, targets, targetCount, order, segments, segmentCount } = resumed.next();
        expect({ inputs, targets, targetCount, order, segmentCount }).toEqual({
          inputs: batch.inputs,
          targets: batch.targets,
          targetCount: batch.targetCount,
          order: batch.order,
          segmentCount: batch.segmentCount,
        });
        expect(segments.slice(0, segmentCount + 1)).toEqual(batch.segments.slice(0, segmentCount + 1));
      }
    }
  });

  test("seeds and epochs have orders of their own", () => {
    const order = (seed: number, epoch: number) => {
      const batches = new TrainingBatches(source(positions(1001)), {
        contextLength: 10,
        batchSize: 100,
        seed,
        position: epoch * 100,
      });
      return [...batches.next().inputs].filter((_, row) => row % 10 === 0).join();
    };
    expect(order(1, 0)).toBe(order(1, 0));
    expect(new Set([order(1, 0), order(2, 0), order(1, 1), order(2, 1), order(0, 1)]).size).toBe(5);
  });

  test("a corpus of one window is that window in every row of every batch", () => {
    const batches = new TrainingBatches(source(positions(9)), { contextLength: 8, batchSize: 3, seed: 5 });
    for (let i = 0; i < 4; i++) {
      const { inputs, targets, targetCount } = batches.next();
      expect([...inputs]).toEqual([...positions(8), ...positions(8), ...positions(8)]);
      expect([...targets]).toEqual([...inputs].map((token) => token + 1));
      expect(targetCount).toBe(24);
    }
    expect(batches.epoch).toBe(12);
  });

  test("the shuffle is fair: each window comes first equally often", () => {
    const firsts = new Array<number>(8).fill(0);
    const tokens = source(positions(9));
    for (let seed = 0; seed < 4000; seed++) {
      firsts[new TrainingBatches(tokens, { contextLength: 1, batchSize: 1, seed }).next().inputs[0]]++;
    }
    const chiSquared = firsts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    expect(chiSquared).toBeLessThan(27); // 7 degrees of freedom: one time in 3000 above
  });

  test("rows are grouped by input token, stably", () => {
    const random = (() => {
      let state = 1;
      return (limit: number) => (state = state * 48271 % 0x7fffffff) % limit;
    })();
    for (
      const [vocabulary, contextLength, batchSize] of [[3, 5, 4], [65, 17, 3], [1000, 8, 8], [60_000, 31, 2], [1, 4, 4]]
    ) {
      const tokens = source(Array.from({ length: 2000 }, () => random(vocabulary)));
      const batches = new TrainingBatches(tokens, { contextLength, batchSize, seed: 9 });
      for (let i = 0; i < 20; i++) {
        const { inputs, order, segments, segmentCount } = batches.next();
        const rows = positions(batchSize * contextLength).sort((a, b) => inputs[a] - inputs[b] || a - b);
        expect([...order]).toEqual(rows);
        const starts = positions(rows.length).filter((i) => i === 0 || inputs[rows[i]] !== inputs[rows[i - 1]]);
        expect([...segments.subarray(0, segmentCount + 1)]).toEqual([...starts, rows.length]);
      }
    }
  });

  test("refuses a corpus without a single target", () => {
    for (const length of [0, 1]) {
      expect(() => new TrainingBatches(source(positions(length)), { contextLength: 1, batchSize: 1, seed: 0 }))
        .toThrow(RangeError);
    }
  });
});

describe("ValidationBatches", () => {
  test.each([[2, 8, 1], [9, 8, 4], [100, 8, 3], [101, 17, 2], [1000, 7, 12]])(
    "the whole split, %d tokens in windows of %d, %d a batch: each but the first once, in order",
    (length, contextLength, batchSize) => {
      const batches = new ValidationBatches(source(positions(length)), { contextLength, batchSize, batches: null });
      const targets: number[] = [];
      let count = 0;
      for (const batch of batches) {
        expect(batch.inputs).toHaveLength(batchSize * contextLength);
        targets.push(...targetsOf(batch));
        count++;
      }
      expect(targets).toEqual(positions(length).slice(1));
      expect(count).toBe(batches.batchCount);
    },
  );

  test("some batches are spread evenly over the split, and are the same each time", () => {
    const batches = new ValidationBatches(source(positions(801)), { contextLength: 8, batchSize: 5, batches: 4 });
    expect(batches.windowCount).toBe(20);
    for (let pass = 0; pass < 2; pass++) {
      const firsts: number[] = [];
      for (const batch of batches) for (let row = 0; row < 40; row += 8) firsts.push(batch.inputs[row]);
      expect(firsts).toEqual(Array.from({ length: 20 }, (_, i) => 8 * 5 * i)); // every fifth of 100 windows
    }
  });

  test("asks for no more windows than there are", () => {
    const batches = new ValidationBatches(source(positions(50)), { contextLength: 8, batchSize: 4, batches: 1000 });
    const targets: number[] = [];
    for (const batch of batches) targets.push(...targetsOf(batch));
    expect(targets).toEqual(positions(50).slice(1));
    expect(batches.batchCount).toBe(2);
  });

  test("a split without a target has no batches", () => {
    for (const length of [0, 1]) {
      expect([...new ValidationBatches(source(positions(length)), { contextLength: 8, batchSize: 4, batches: null })])
        .toEqual([]);
    }
  });
});

test("the tail validates, the rest trains", () => {
  const { train, validation } = splitCorpus(source(positions(105)), 0.1);
  expect([train.length, validation.length]).toEqual([95, 10]);
  expect(Array.from(train.read(90, 5))).toEqual([90, 91, 92, 93, 94]);
  expect(Array.from(validation.read(0, 10))).toEqual(positions(105).slice(95));
  expect(splitCorpus(source(positions(105)), 0).validation.length).toBe(0);
});
