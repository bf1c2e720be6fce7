import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** An NVIDIA card's peaks, from what its driver says; null is unknown. */
export interface Card {
  name: string;
  driver: string;
  /** f32 outside tensor cores: multiprocessors × lanes × 2 × the highest clock. */
  gflops: number | null;
  gigabytesPerSecond: number | null;
}

/** What PyTorch knows of a card and nvidia-smi does not; null where this PyTorch does not say. */
export interface CardProperties {
  name: string;
  multiprocessors: number;
  memoryClockKHz: number | null;
  memoryBusBits: number | null;
}

const FIELDS = ["name", "driver_version", "compute_cap", "clocks.max.sm", "clocks.max.mem"];

/** f32 lanes a multiprocessor, by compute capability (CUDA C++ Programming Guide, arithmetic throughput). */
function lanes(capability: number): number {
  if (capability === 6 || (capability >= 7 && capability < 8.05)) return 64;
  return 128;
}

/** Null where `nvidia-smi` does not answer. */
export async function findCard(properties: CardProperties | null): Promise<Card | null> {
  const args = [`--query-gpu=${FIELDS.join(",")}`, "--format=csv,noheader,nounits", "--id=0"];
  const answer = await promisify(execFile)("nvidia-smi", args).catch(() => null);
  return answer && parseCard(answer.stdout, properties);
}

/** @param line what nvidia-smi prints for FIELDS */
export function parseCard(line: string, properties: CardProperties | null): Card {
  const [name, driver, capability, clockMHz, memoryMHz] = line.trim().split(",").map((field) => field.trim());
  const gflops = properties ? properties.multiprocessors * lanes(Number(capability)) * 2 * Number(clockMHz) / 1e3 : NaN;
  const clockKHz = properties?.memoryClockKHz ?? 1e3 * Number(memoryMHz);
  // Two transfers a clock; a byte is 8 bits.
  const bandwidth = properties?.memoryBusBits ? 2 * clockKHz * properties.memoryBusBits / 8 / 1e6 : NaN;
  return { name, driver, gflops: finite(gflops), gigabytesPerSecond: finite(bandwidth) };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
