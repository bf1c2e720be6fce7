import type { PyTorch } from "./peers.ts";

/** An NVIDIA card's peaks, from what its driver says; null is unknown. */
export interface Card {
  name: string;
  driver: string;
  /** f32 outside tensor cores: multiprocessors × lanes × 2 × the highest clock. */
  gflops: number | null;
  gigabytesPerSecond: number | null;
}

const FIELDS = ["name", "driver_version", "compute_cap", "clocks.max.sm", "clocks.max.mem"];

/** f32 lanes a multiprocessor, by compute capability (CUDA C++ Programming Guide, arithmetic throughput). */
function lanes(capability: number): number {
  if (capability === 6 || (capability >= 7 && capability < 8.05)) return 64;
  return 128;
}

/** Null where `nvidia-smi` does not answer. */
export async function findCard(pytorch: PyTorch | null): Promise<Card | null> {
  try {
    const args = [`--query-gpu=${FIELDS.join(",")}`, "--format=csv,noheader,nounits", "--id=0"];
    const { success, stdout } = await new Deno.Command("nvidia-smi", { args, stderr: "null" }).output();
    return success ? parseCard(new TextDecoder().decode(stdout), pytorch) : null;
  } catch {
    return null;
  }
}

/** @param line what nvidia-smi prints for FIELDS; it knows neither the multiprocessors nor the bus, PyTorch does */
export function parseCard(line: string, pytorch: Pick<PyTorch, "card"> | null): Card {
  const [name, driver, capability, clockMHz, memoryMHz] = line.trim().split(",").map((field) => field.trim());
  const known = pytorch?.card ?? null;
  const gflops = known ? known.multiprocessors * lanes(Number(capability)) * 2 * Number(clockMHz) / 1e3 : NaN;
  const clockKHz = known?.memoryClockKHz ?? 1e3 * Number(memoryMHz);
  // Two transfers a clock; a byte is 8 bits.
  const bandwidth = known?.memoryBusBits ? 2 * clockKHz * known.memoryBusBits / 8 / 1e6 : NaN;
  return { name, driver, gflops: finite(gflops), gigabytesPerSecond: finite(bandwidth) };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
