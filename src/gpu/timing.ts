import type { Gpu } from "./device.ts";
import type { Plan } from "./plan.ts";
import { Readback } from "./readback.ts";

/** What the dispatches of one kernel took, summed over a profile. */
export interface KernelTime {
  name: string;
  dispatches: number;
  elapsedMs: number;
  flops: number;
  bytes: number;
}

/** WebGPU's most queries in one set. */
const MAX_QUERIES = 4096;

/**
 * Runs the plans once with a timestamp around every dispatch, and sums by kernel, the longest first.
 * A pass for each dispatch costs a little: shares are what to read, not the sum.
 * @throws Error where the adapter has no timestamp queries
 */
export async function profile(gpu: Gpu, plans: readonly Plan[]): Promise<KernelTime[]> {
  if (!gpu.device.features.has("timestamp-query")) throw new Error(`${gpu.identity.name} has no timestamp queries`);
  const times = new Map<string, KernelTime>();
  for (const plan of plans) {
    for (let first = 0; first < plan.dispatches.length; first += MAX_QUERIES / 2) {
      const part = plan.dispatches.slice(first, first + MAX_QUERIES / 2);
      const stamps = await timestamps(gpu, plan, first, part.length);
      part.forEach(({ label, cost }, index) => {
        const time = times.get(label) ?? { name: label, dispatches: 0, elapsedMs: 0, flops: 0, bytes: 0 };
        time.dispatches++;
        time.elapsedMs += Number(stamps[2 * index + 1] - stamps[2 * index]) / 1e6;
        time.flops += cost.flops;
        time.bytes += cost.bytes;
        times.set(label, time);
      });
    }
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
