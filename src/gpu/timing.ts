import type { Gpu } from "./device.ts";
import type { Cost } from "./kernel.ts";
import type { Plan } from "./plan.ts";
import { Readback } from "./readback.ts";

/** One dispatch of a recorded plan, and what it took. */
export interface DispatchTime {
  label: string;
  dims: Readonly<Record<string, number>>;
  cost: Cost;
  elapsedMs: number;
  /** From the previous dispatch's end to this one's begin: the pass, and copies and clears before it; 0 for a first. */
  gapMs: number;
}

/** What the dispatches of one kernel took, summed over a profile. */
export interface KernelTime {
  name: string;
  dispatches: number;
  elapsedMs: number;
  flops: number;
  bytes: number;
}

/** Milliseconds for one of what `run` does `times` over, repeated until it takes `enoughMs`, which a readback is small beside. */
export async function timeRepeated(run: (times: number) => Promise<number>, enoughMs: number): Promise<number> {
  for (let times = 1;; times *= 4) {
    const elapsedMs = await run(times);
    if (elapsedMs >= enoughMs) return elapsedMs / times;
  }
}

/** WebGPU's most queries in one set. */
const MAX_QUERIES = 4096;

/**
 * Runs the plans once with a timestamp around every dispatch.
 * A pass for each dispatch costs a little: shares are what to read, not the sum.
 * @throws Error where the adapter has no timestamp queries
 */
export async function timeDispatches(gpu: Gpu, plans: readonly Plan[]): Promise<DispatchTime[]> {
  if (!gpu.device.features.has("timestamp-query")) throw new Error(`${gpu.identity.name} has no timestamp queries`);
  const times: DispatchTime[] = [];
  for (const plan of plans) {
    for (let first = 0; first < plan.dispatches.length; first += MAX_QUERIES / 2) {
      const part = plan.dispatches.slice(first, first + MAX_QUERIES / 2);
      const stamps = await timestamps(gpu, plan, first, part.length);
      part.forEach(({ label, dims, cost }, index) => {
        const [begin, end] = [stamps[2 * index], stamps[2 * index + 1]];
        const gapMs = index === 0 ? 0 : Number(begin - stamps[2 * index - 1]) / 1e6;
        times.push({ label, dims, cost, elapsedMs: Number(end - begin) / 1e6, gapMs });
      });
    }
  }
  return times;
}

/** As `timeDispatches`, summed by kernel, the longest first. */
export async function profile(gpu: Gpu, plans: readonly Plan[]): Promise<KernelTime[]> {
  const times = new Map<string, KernelTime>();
  for (const { label, cost, elapsedMs } of await timeDispatches(gpu, plans)) {
    const time = times.get(label) ?? { name: label, dispatches: 0, elapsedMs: 0, flops: 0, bytes: 0 };
    time.dispatches++;
    time.elapsedMs += elapsedMs;
    time.flops += cost.flops;
    time.bytes += cost.bytes;
    times.set(label, time);
  }
  return [...times.values()].sort((a, b) => b.elapsedMs - a.elapsedMs);
}

/** Nanoseconds: begin and end of dispatches `first` … `first + count - 1`; the plan's others run untimed. */
async function timestamps(gpu: Gpu, plan: Plan, first: number, count: number): Promise<BigUint64Array> {
  const querySet = gpu.device.createQuerySet({ type: "timestamp", count: 2 * count });
  const resolved = gpu.device.createBuffer({
    label: "timestamps",
    size: 16 * count,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const readback = new Readback(gpu);
  try {
    const encoder = gpu.device.createCommandEncoder({ label: "profile" });
    plan.encodeTimed(encoder, querySet, first, count);
    encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
    gpu.device.queue.submit([encoder.finish()]);
    return new BigUint64Array(await readback.read({ buffer: resolved, offset: 0, size: 16 * count })); // sync point
  } finally {
    readback.free();
    resolved.destroy();
    querySet.destroy();
  }
}
