import { freemem } from "node:os";
import process from "node:process";

/** Memory as this machine, or the container that the process is in, reports it. Bytes. */
export interface HostMemory {
  /** Memory that the system could still give. A container sees the whole machine's. */
  available: number;
  /** The limit of the process's control group; a number past any memory, or 0 or undefined, if there is none. */
  constrained: number | undefined;
  /** Memory that this process has already. */
  resident: number;
}

/**
 * Memory left to everything but the run: the Worker's and the GPU driver's own memory, compiled kernels, and files that
 * the system keeps while they are written.
 */
const RESERVE_BYTES = 256 * 2 ** 20;

export function hostMemory(): HostMemory {
  return {
    available: freemem(),
    constrained: process.constrainedMemory(),
    resident: process.memoryUsage.rss(),
  };
}

/**
 * How much a run on a software adapter may take: its memory is the machine's, and the limit is whichever is nearer. A
 * run admitted past a container's limit is not refused an allocation: the kernel kills the process.
 */
export function memoryForRuns({ available, constrained, resident }: HostMemory): number {
  const limit = constrained === undefined || constrained <= 0 ? Infinity : constrained;
  return Math.max(0, Math.floor(Math.min(available, limit - resident) - RESERVE_BYTES));
}
