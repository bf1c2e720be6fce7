import { expect, test } from "bun:test";
import { readSource, sourceFiles } from "../support/source_files.ts";
import { weaknessesOf } from "../support/weak_tests.ts";

test("no test leaves a rejection unawaited or passes by ending early", () => {
  const files = sourceFiles(["tests"]).filter((path) => path.endsWith(".ts"));
  expect(files.length).toBeGreaterThan(100);
  expect(files.flatMap((path) => weaknessesOf(path, readSource(path)))).toEqual([]);
});

test.each([
  ["expect(work()).rejects.toThrow(TypeError);", 1],
  ["expect(work()).resolves.not.toBe(1);", 1],
  ["await expect(work()).rejects.toThrow(TypeError);", 0],
  ["const later = expect(work()).rejects.toThrow(); await later;", 0],
  ['if (!gpu.device.features.has("shader-f16")) return;', 1],
  ['if (f16 && !gpu.device.features.has("shader-f16")) { return; }', 1],
  ['if (gpu.device.features.has("shader-f16")) check();', 0],
])("%s", (source, count) => {
  expect(weaknessesOf("some.test.ts", `async function test() { ${source} }`)).toHaveLength(count);
});
