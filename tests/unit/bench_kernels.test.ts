import { describe, expect, test } from "bun:test";
import { parseCard } from "../../bench/card.ts";
import { betweenDispatches, groupDispatches, profileTable, shareOfCeiling } from "../../bench/kernels.ts";
import type { DispatchTime } from "../../src/gpu/timing.ts";

const matmul = (m: number, n: number, k: number, elapsedMs: number): DispatchTime => ({
  label: "matmul",
  dims: { m, n, k },
  cost: { flops: 2 * m * n * k, bytes: 4 * (m * k + k * n + m * n) },
  elapsedMs,
  gapMs: 1,
});

describe("groupDispatches", () => {
  test("shapes of equal FLOP and bytes are told apart; the longest a step comes first", () => {
    const groups = groupDispatches([
      [matmul(8, 4, 2, 10), matmul(4, 8, 2, 1), matmul(8, 4, 2, 30)],
      [matmul(8, 4, 2, 20), matmul(4, 8, 2, 3), matmul(8, 4, 2, 20)],
      [matmul(8, 4, 2, 20), matmul(4, 8, 2, 2), matmul(8, 4, 2, 90)],
    ]);
    expect(groups.map(({ shape, dispatches, ms, stepMs }) => [shape, dispatches, ms, stepMs])).toEqual([
      ["8×4×2", 2, 20, 40],
      ["4×8×2", 1, 2, 2],
    ]);
  });

  test("what has no shape is grouped by its cost", () => {
    const plain = (bytes: number): DispatchTime => ({
      label: "adamw",
      dims: { count: bytes },
      cost: { flops: 1, bytes },
      elapsedMs: 1,
      gapMs: 0,
    });
    expect(groupDispatches([[plain(4), plain(8), plain(4)]]).map(({ shape, bytes }) => [shape, bytes])).toEqual([
      ["", 4],
      ["", 8],
    ]);
  });
});

describe("shareOfCeiling", () => {
  const peak = { gflops: 100, gigabytesPerSecond: 10 };

  test("the nearer ceiling counts", () => {
    expect(shareOfCeiling({ flops: 1e8, bytes: 1e6, ms: 4 }, peak)).toEqual({ share: 0.25, bound: "arithmetic" });
    expect(shareOfCeiling({ flops: 1e6, bytes: 1e7, ms: 4 }, peak)).toEqual({ share: 0.25, bound: "memory" });
  });

  test("shares of a profile count the time between dispatches", () => {
    const rounds = [[matmul(8, 4, 2, 6), { ...matmul(8, 4, 2, 2), label: "other" }]];
    expect(betweenDispatches(rounds)).toBe(2);
    const { rows } = profileTable(groupDispatches(rounds), betweenDispatches(rounds), peak);
    expect(rows.map(([name, share]) => [name, share])).toEqual([
      ["matmul", "60 %"],
      ["other", "20 %"],
      ["(between dispatches)", "20 %"],
    ]);
  });
});

describe("parseCard", () => {
  const line = "NVIDIA H100 80GB HBM3, 550.54.15, 9.0, 1980, 2619\n";
  const card = { name: "H100", multiprocessors: 132, memoryClockKHz: null, memoryBusBits: 5120 };

  test("peaks follow from clocks, multiprocessors and the bus", () => {
    const { gflops, gigabytesPerSecond } = parseCard(line, card);
    expect(gflops).toBeCloseTo(132 * 128 * 2 * 1.98, 6); // 66.9 TFLOP/s
    expect(gigabytesPerSecond).toBeCloseTo(3352.32, 6);
  });

  test("an A100 has half as many f32 lanes a multiprocessor as its successors", () => {
    const a100 = parseCard("NVIDIA A100, 550.54.15, 8.0, 1410, 1215", { ...card, multiprocessors: 108 });
    expect(a100.gflops).toBeCloseTo(108 * 64 * 2 * 1.41, 6);
  });

  test("without PyTorch they are unknown, not guessed", () => {
    expect(parseCard(line, null)).toEqual({
      name: "NVIDIA H100 80GB HBM3",
      driver: "550.54.15",
      gflops: null,
      gigabytesPerSecond: null,
    });
  });
});
