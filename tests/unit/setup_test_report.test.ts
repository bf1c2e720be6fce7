import { expect, test } from "bun:test";
import { countTests, summarise } from "../../scripts/test_report.ts";

const report = (failures: number, skipped: number) =>
  `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="8" assertions="1" failures="${failures}" skipped="${skipped}" time="0.016">
  <testsuite name="tests/a.test.ts" file="tests/a.test.ts" tests="8" failures="${failures}" skipped="${skipped}">
    <testcase name="tests=&quot;99&quot;" file="tests/a.test.ts" />
  </testsuite>
</testsuites>`;

test("counts come from bun's report", () => {
  expect(countTests({ exitCode: 0, report: report(0, 0), files: ["tests/a.test.ts"], notRun: "" }))
    .toEqual({ passed: 8, failed: 0, notes: [], notRun: [] });
  expect(countTests({ exitCode: 1, report: report(3, 0), files: [], notRun: "" })).toEqual({
    passed: 5,
    failed: 3,
    notes: [],
    notRun: [],
  });
});

test("a skipped test is a failed one", () => {
  expect(countTests({ exitCode: 0, report: report(0, 2), files: [], notRun: "" }))
    .toEqual({ passed: 6, failed: 2, notes: ["2 skipped"], notRun: [] });
});

test("a file that could not be loaded counts, though bun's report omits it", () => {
  const counts = countTests({
    exitCode: 1,
    report: report(0, 0),
    files: ["tests/a.test.ts", "tests/b.test.ts"],
    notRun: "",
  });
  expect(counts).toEqual({ passed: 8, failed: 1, notes: ["tests/b.test.ts ran no test"], notRun: [] });
});

test("an exit code that no test explains counts", () => {
  const counts = countTests({ exitCode: 1, report: report(0, 0), files: ["tests/a.test.ts"], notRun: "" });
  expect(counts).toEqual({ passed: 8, failed: 1, notes: ["bun exited with 1"], notRun: [] });
});

test("no report is a failure, whatever the exit code", () => {
  expect(countTests({ exitCode: 0, report: null, files: [], notRun: "" }).failed).toBe(1);
});

test("a report without counts is an error, not zero tests", () => {
  expect(() => countTests({ exitCode: 0, report: "<testsuites>", files: [], notRun: "" })).toThrow("no count of tests");
});

test("what an adapter cannot run has not passed, and is named above the last line", () => {
  const counts = countTests({ exitCode: 0, report: report(0, 0), files: [], notRun: "f16 > a\nf16 > b\n" });
  expect(counts).toEqual({ passed: 6, failed: 0, notes: [], notRun: ["f16 > a", "f16 > b"] });
  const types = { passed: 2, failed: 0, notes: [], notRun: [] };
  expect(summarise([types, counts])).toEqual([
    "2 not run on this adapter: f16 > a; f16 > b",
    "8 passed, 0 failed",
  ]);
  expect(summarise([types])).toEqual(["2 passed, 0 failed"]);
});
