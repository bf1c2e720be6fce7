/**
 * The whole suite: set-up, types, bun's tests. Arguments go to `bun test`. Ends with the line `N passed, N failed`; each
 * type check counts as one; above it stands what this adapter could not run. Exits 1 when anything failed.
 */
import { isChromiumPackaged, packagedChromium } from "../tests/support/packaged_chromium.ts";
import { prepareAdapter } from "./setup.ts";
import { type Counts, countTests, summarise } from "./test_report.ts";

/** A test that hangs fails; one that waits for a busy machine's core does not. bun's own limit is 5 s. */
const TIMEOUT_MS = 30_000;

const TYPE_CHECKS: [name: string, command: string[]][] = [
  // What Deno runs, with Deno's types; then the tests and what they import, with bun's.
  ["deno check", [Deno.execPath(), "check", "--quiet", "src", "routes", "kernels", "scripts", "bench"]],
  ["tsc", ["node_modules/.bin/tsc", "-p", "tsconfig.json"]],
];

async function run([command, ...args]: string[], variables: Record<string, string> = {}): Promise<number> {
  const env = { REVERIE_DENO: Deno.execPath(), ...variables };
  const { code } = await new Deno.Command(command, { args, env, stdin: "null" }).spawn().status;
  return code;
}

async function checkTypes(): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, notes: [], notRun: [] };
  for (const [name, command] of TYPE_CHECKS) {
    const code = await run(command);
    if (code === 0) counts.passed++;
    else counts.failed++, counts.notes.push(`${name} exited with ${code}`);
  }
  return counts;
}

async function runTests(args: string[]): Promise<Counts> {
  const folder = await Deno.makeTempDir({ prefix: "reverie-tests-" });
  const outfile = `${folder}/junit.xml`;
  const notRunFile = `${folder}/not_run`;
  const reporter = ["--reporter=junit", `--reporter-outfile=${outfile}`];
  try {
    // Each file starts with fresh modules, so that the order of files decides nothing; what they spawned ends with bun.
    const command = [
      "node_modules/.bin/bun",
      "test",
      "--isolate",
      "--no-orphans",
      `--timeout=${TIMEOUT_MS}`,
      ...reporter,
      ...args,
    ];
    const exitCode = await run(command, { REVERIE_NOT_RUN_FILE: notRunFile });
    const files = args.length > 0 ? [] : await testFiles("tests");
    const notRun = await readIfThere(notRunFile) ?? "";
    return countTests({ exitCode, report: await readIfThere(outfile), files, notRun });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...await testFiles(`${folder}/${name}`));
    else if (name.endsWith(".test.ts")) found.push(`${folder}/${name}`);
  }
  return found.sort();
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

await prepareAdapter();
if (isChromiumPackaged) await packagedChromium();
const parts = [await checkTypes(), await runTests(Deno.args)];
for (const note of parts.flatMap((part) => part.notes)) console.error(`failed: ${note}`);
for (const line of summarise(parts)) console.log(line);
Deno.exit(parts.every((part) => part.failed === 0) ? 0 : 1);
