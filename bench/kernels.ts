import type { DispatchTime } from "../src/gpu/timing.ts";
import { median } from "./statistics.ts";
import { digits, percent, type Table } from "./tables.ts";

/** What a kernel took at one shape; `flops` and `bytes` are a dispatch's. */
export interface KernelGroup {
  kernel: string;
  /** m×n×k of a matmul; nothing for others, which their FLOP and bytes tell apart. */
  shape: string;
  /** Dispatches a step. */
  dispatches: number;
  /** Median of a dispatch, over all of the group and all rounds. */
  ms: number;
  /** Median over rounds of all the group's dispatches of a step. */
  stepMs: number;
  flops: number;
  bytes: number;
}

/** GFLOP/s and GB/s. */
interface Peak {
  gflops: number;
  gigabytesPerSecond: number;
}

/** The dispatches of several rounds of the same plans, by kernel and shape; the longest a step first. */
export function groupDispatches(rounds: readonly (readonly DispatchTime[])[]): KernelGroup[] {
  const groups = new Map<string, { first: DispatchTime; samples: number[]; sums: number[] }>();
  for (const [round, dispatches] of rounds.entries()) {
    for (const dispatch of dispatches) {
      const { label, cost } = dispatch;
      const key = [label, shapeOf(dispatch), cost.flops, cost.bytes].join();
      let group = groups.get(key);
      if (!group) groups.set(key, group = { first: dispatch, samples: [], sums: rounds.map(() => 0) });
      group.samples.push(dispatch.elapsedMs);
      group.sums[round] += dispatch.elapsedMs;
    }
  }
  return [...groups.values()].map(({ first, samples, sums }) => ({
    kernel: first.label,
    shape: shapeOf(first),
    dispatches: samples.length / rounds.length,
    ms: median(samples),
    stepMs: median(sums),
    flops: first.cost.flops,
    bytes: first.cost.bytes,
  })).sort((a, b) => b.stepMs - a.stepMs);
}

function shapeOf({ dims }: DispatchTime): string {
  return dims.m && dims.n && dims.k ? `${dims.m}×${dims.n}×${dims.k}` : "";
}

/** The shortest time that the ceilings allow, over the time taken; and which of them is the nearer. */
export function shareOfCeiling(
  { flops, bytes, ms }: { flops: number; bytes: number; ms: number },
  { gflops, gigabytesPerSecond }: Peak,
): { share: number; bound: "arithmetic" | "memory" } {
  const arithmeticMs = flops / gflops / 1e6;
  const memoryMs = bytes / gigabytesPerSecond / 1e6;
  return {
    share: Math.max(arithmeticMs, memoryMs) / ms,
    bound: arithmeticMs >= memoryMs ? "arithmetic" : "memory",
  };
}

/** `--kernels`: each kernel at each shape. */
export function kernelTable(groups: readonly KernelGroup[], peak: Peak): Table {
  return {
    columns: ["kernel", "m×n×k", "MFLOP", "MB", "times", "ms each", "GFLOP/s", "GB/s", "of ceiling", "bound by"],
    rows: groups.map((group) => {
      const { share, bound } = shareOfCeiling(group, peak);
      return [
        group.kernel,
        group.shape,
        digits(group.flops / 1e6),
        digits(group.bytes / 1e6),
        String(group.dispatches),
        digits(group.ms),
        digits(group.flops / group.ms / 1e6),
        digits(group.bytes / group.ms / 1e6),
        percent(share),
        bound,
      ];
    }),
  };
}

/** `--profile`: each kernel's share of a step, its shapes together. */
export function profileTable(groups: readonly KernelGroup[], betweenMs: number, peak: Peak): Table {
  const kernels = new Map<
    string,
    { stepMs: number; dispatches: number; flops: number; bytes: number; boundMs: number }
  >();
  for (const { kernel, stepMs, dispatches, flops, bytes } of groups) {
    const sum = kernels.get(kernel) ?? { stepMs: 0, dispatches: 0, flops: 0, bytes: 0, boundMs: 0 };
    sum.stepMs += stepMs;
    sum.dispatches += dispatches;
    sum.flops += dispatches * flops;
    sum.bytes += dispatches * bytes;
    sum.boundMs += dispatches * shareOfCeiling({ flops, bytes, ms: 1 }, peak).share;
    kernels.set(kernel, sum);
  }
  const total = betweenMs + groups.reduce((sum, { stepMs }) => sum + stepMs, 0);
  const rows = [...kernels].sort(([, a], [, b]) => b.stepMs - a.stepMs).map(([name, sum]) => [
    name,
    percent(sum.stepMs / total),
    digits(sum.stepMs),
    String(sum.dispatches),
    digits(sum.flops / sum.stepMs / 1e6),
    digits(sum.bytes / sum.stepMs / 1e6),
    percent(sum.boundMs / sum.stepMs),
  ]);
  return {
    columns: ["kernel", "share", "ms", "dispatches", "GFLOP/s", "GB/s", "of ceiling"],
    rows: [...rows, ["(between dispatches)", percent(betweenMs / total), digits(betweenMs), "", "", "", ""]],
  };
}

/** Median over rounds of the time between dispatches: copies, clears, and a pass for each. */
export function betweenDispatches(rounds: readonly (readonly DispatchTime[])[]): number {
  return median(rounds.map((dispatches) => dispatches.reduce((sum, { gapMs }) => sum + gapMs, 0)));
}
