import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

let found: string | undefined;

/** The Deno that runs the suite (`deno task test` names it), else the one on PATH, else the npm package's. */
export function denoPath(): string {
  return found ??= process.env.REVERIE_DENO ?? onPath("deno") ?? fromNpm();
}

/** The checkout's root, with a trailing slash. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/**
 * Runs a script in a Deno process of its own and waits for its end.
 * @param script path from the checkout's root
 * @returns what the script printed on standard output, parsed as JSON
 * @throws with the script's stderr, when it does not exit 0 or prints no JSON
 */
export async function runInDeno<T>(
  script: string,
  args: readonly string[] = [],
  options: { env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<T> {
  const { stdout } = await promisify(execFile)(denoPath(), ["run", "-A", script, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as T;
}

function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function fromNpm(): string {
  const args = ["-y", "deno", "eval", "console.log(Deno.execPath())"];
  return execFileSync("npx", args, { encoding: "utf8", cwd: ROOT }).trim();
}
