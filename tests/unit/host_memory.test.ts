import { expect, test } from "bun:test";
import { type HostMemory, hostMemory, memoryForRuns } from "#src/train/host_memory.ts";

const GIB = 2 ** 30;
const RESERVE = GIB / 4;

test.each<[string, HostMemory, number]>([
  ["a machine without a limit", { available: 20 * GIB, constrained: 9223372036854772000, resident: GIB }, 20 * GIB],
  ["a limit told as 0", { available: 20 * GIB, constrained: 0, resident: GIB }, 20 * GIB],
  ["a limit that is not told", { available: 20 * GIB, constrained: undefined, resident: GIB }, 20 * GIB],
  ["a container of 1.5 GiB", { available: 22 * GIB, constrained: 1.5 * GIB, resident: GIB / 4 }, 1.25 * GIB],
  ["a limit above what is free", { available: 2 * GIB, constrained: 8 * GIB, resident: GIB }, 2 * GIB],
])("%s leaves what is nearer, less a reserve", (_, memory, left) => {
  expect(memoryForRuns(memory)).toBe(left - RESERVE);
});

test("a container that is full leaves nothing", () => {
  expect(memoryForRuns({ available: GIB, constrained: GIB, resident: GIB })).toBe(0);
});

test("this process reads what it needs", () => {
  const { available, resident } = hostMemory();
  expect(Math.min(available, resident)).toBeGreaterThan(0);
});
