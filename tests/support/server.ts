import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { denoPath, ROOT } from "./deno.ts";
import { waitFor } from "./wait_for.ts";

export interface ServerOptions {
  /** Default: a fresh temporary folder, removed with the server that made it. */
  dataFolder?: string;
  /** On top of this process's environment. PORT is 0, any free one, unless given. */
  env?: Record<string, string>;
  /** Instead of the serve task's entry point: path from the checkout's root. */
  entry?: string;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * A server started as `deno task serve` starts it, set-up left out. Keep it with `await using`: the end of the block kills
 * it and removes its data. For a restart, give the first server's `dataFolder` to the second.
 */
export class RunningServer implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly dataFolder: string;
  readonly #ownsData: boolean;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  #url: string | null = null;

  constructor(options: ServerOptions = {}) {
    this.#ownsData = options.dataFolder === undefined;
    this.dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), "reverie-data-"));
    const env = { ...process.env, PORT: "0", REVERIE_DATA: this.dataFolder, ...options.env };
    const child = spawn(denoPath(), serveArguments(env, options.entry), {
      cwd: ROOT,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    this.#child = child;
  }

  /** Without a slash at the end. */
  get url(): string {
    if (this.#url === null) throw new Error("the server is not ready yet");
    return this.#url;
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the server did not start");
    return this.#child.pid;
  }

  /** Its resident memory, in MiB. */
  get residentMib(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))![1]) / 1024;
  }

  /** Waits for the one line with its URL. @throws with its output when it ends before, or takes too long */
  async ready(timeoutMs = 60_000): Promise<this> {
    this.#url = await waitFor("the server's ready line", () => {
      if (this.#isOver()) throw new Error(`the server ended before it was ready\n${this.stdout}${this.stderr}`);
      return this.stdout.match(/https?:\/\/[^\s"]+(?=.*\n)/)?.[0].replace(/\/$/, "");
    }, { timeoutMs });
    return this;
  }

  /** Sends a signal and waits for the end; what the server wrote stays readable. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 15_000): Promise<Ending> {
    if (!this.#isOver()) this.#child.kill(signal);
    return await this.ended(timeoutMs);
  }

  /** Waits for the server's own end. @throws with its stderr when it takes too long */
  async ended(timeoutMs = 15_000): Promise<Ending> {
    await waitFor("the server's end", () => this.#isOver(), { timeoutMs }).catch((cause: Error) => {
      throw new Error(`${cause.message}\n${this.stderr}`);
    });
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    if (this.#ownsData) rmSync(this.dataFolder, { recursive: true, force: true });
  }

  #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** Starts a server and waits until it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const server = new RunningServer(options);
  try {
    return await server.ready();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** What follows `deno` in the serve task: permissions, flags and the entry point, which is the last, or another in its place. */
export function serveArguments(env: Record<string, string | undefined>, entry?: string): string[] {
  const { tasks } = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8")) as { tasks: { serve: { command: string } } };
  const [, finder, server] = /^FOLDER=\$\(deno ([^)]*)\) && deno (.*)$/.exec(tasks.serve.command) ?? [];
  if (finder === undefined) throw new Error(`the serve task is not one deno command: ${tasks.serve.command}`);
  const folder = execFileSync(denoPath(), finder.split(" "), { cwd: ROOT, env, encoding: "utf8" }).trim();
  const words = server.match(/"[^"]*"|\S+/g) ?? [];
  const args = words.map((word) => word.replaceAll('"', "").replaceAll("$FOLDER", folder));
  if (entry === undefined) return args;
  // Its Worker lies beside it, and what it imports by a computed name is read by permission: the API's version too.
  const readable = args.map((arg) => arg.startsWith("--allow-read=") ? `${arg},${dirname(entry)},package.json` : arg);
  return [...readable.slice(0, -1), entry];
}
