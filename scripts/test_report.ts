/** What `deno task test` counts: bun's JUnit report, and what that report leaves out. Pure. */

export interface Counts {
  passed: number;
  failed: number;
  /** Failures that no test names: one line each. */
  notes: string[];
  /** Tests that did not run, because this adapter lacks what they need. They are not among those that passed. */
  notRun: string[];
}

export interface BunRun {
  exitCode: number;
  /** The JUnit report; null when bun wrote none, as when a test ended the process. */
  report: string | null;
  /** Test files that had to run, relative to the root; empty where the user chose some. */
  files: readonly string[];
  /** Names of tests that noted that they could not run, a line each. */
  notRun: string;
}

/** A skipped test counts as failed: this suite has none. A file that could not be loaded is missing from bun's report. */
export function countTests(run: BunRun): Counts {
  const { exitCode, report, files } = run;
  const notRun = run.notRun.split("\n").filter((name) => name !== "");
  if (report === null) {
    return { passed: 0, failed: 1, notes: [`bun exited with ${exitCode} and wrote no report`], notRun };
  }
  const root = report.match(/<testsuites\b[^>]*>/)?.[0] ?? "";
  const [tests, failures, skipped] = ["tests", "failures", "skipped"].map((name) => numberOf(root, name));
  const ran = new Set([...report.matchAll(/<testsuite\b[^>]*\bfile="([^"]*)"/g)].map((match) => match[1]));
  const notes = files.filter((file) => !ran.has(file)).map((file) => `${file} ran no test`);
  if (skipped > 0) notes.push(`${skipped} skipped`);
  const failed = failures + skipped + files.filter((file) => !ran.has(file)).length;
  if (exitCode !== 0 && failed === 0) notes.push(`bun exited with ${exitCode}`);
  return {
    passed: tests - failures - skipped - notRun.length,
    failed: exitCode !== 0 ? Math.max(1, failed) : failed,
    notes,
    notRun,
  };
}

/** The last lines of `deno task test`; the very last is `N passed, N failed`. */
export function summarise(parts: readonly Counts[]): string[] {
  const passed = parts.reduce((sum, part) => sum + part.passed, 0);
  const failed = parts.reduce((sum, part) => sum + part.failed, 0);
  const notRun = parts.flatMap((part) => part.notRun);
  const missing = notRun.length === 0 ? [] : [`${notRun.length} not run on this adapter: ${notRun.join("; ")}`];
  return [...missing, `${passed} passed, ${failed} failed`];
}

function numberOf(tag: string, name: string): number {
  const value = tag.match(new RegExp(`\\b${name}="(\\d+)"`))?.[1];
  if (value === undefined) throw new Error(`bun's report has no count of ${name}: ${tag || "no <testsuites>"}`);
  return Number(value);
}
