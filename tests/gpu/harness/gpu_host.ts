import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { denoPath } from "../../support/deno.ts";
import { isChromiumPackaged, packagedChromium } from "../../support/packaged_chromium.ts";
import type { Answer } from "./host.ts";

export type Implementation = "deno" | "dawn";
export const IMPLEMENTATIONS: readonly Implementation[] = ["deno", "dawn"];

/** A process that runs one module's cases on one WebGPU implementation: a crash costs its case, not the suite. */
export class GpuHost {
  #child: ChildProcess | null = null;
  #stderr = "";
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;

  constructor(readonly implementation: Implementation, readonly caseModule: URL) {}

  /**
   * Runs one case; starts the process when there is none. One call at a time. Gives the feature that the adapter lacks
   * and the case needs, if it was not run for that.
   * @throws what the case threw, with its stack; or the process's stderr when it died or overran `timeoutMs`
   */
  async run(name: string, timeoutMs: number): Promise<{ lacks: string | null }> {
    if (!this.#child) await this.#within(timeoutMs, "start", () => this.#start());
    const answer = await this.#within(timeoutMs, `finish "${name}"`, () => {
      this.#child?.stdin?.write(JSON.stringify(name) + "\n");
      return this.#nextAnswer();
    });
    if (answer.type === "failed") throw caseError(`[${this.implementation}] ${answer.stack}`);
    return { lacks: answer.type === "not_run" ? answer.lacks : null };
  }

  /** Ends the process and waits for its end. */
  async close(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin?.end();
    child.kill();
    await ended;
  }

  async #start(): Promise<void> {
    const { command, args, env } = await commandFor(this.implementation);
    const host = fileURLToPath(new URL("./host.ts", import.meta.url));
    const child = spawn(command, [...args, host, this.caseModule.href], { env: { ...process.env, ...env } });
    this.#child = child;
    this.#stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#stderr += text);
    createInterface({ input: child.stdout }).on("line", (line) => this.#receive(line));
    child.once("error", (error) => this.#died(error.message));
    child.once("close", (code, signal) => this.#died(`exited with ${signal ?? code}`));
    await this.#nextAnswer();
  }

  #nextAnswer(): Promise<Answer> {
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  #receive(line: string): void {
    // Drivers print to standard output too; an answer is a JSON object.
    if (!line.startsWith('{"type":')) return void (this.#stderr += line + "\n");
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(JSON.parse(line) as Answer);
  }

  #died(how: string): void {
    this.#child = null;
    this.#waiting?.reject(caseError(`the ${this.implementation} process ${how}\n${this.#stderr}`));
    this.#waiting = null;
  }

  /** Kills a process that overruns: its end then rejects `work`, so that the next case finds no process and starts one. */
  async #within<T>(timeoutMs: number, what: string, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#stderr += `it did not ${what} in ${timeoutMs} ms and was killed\n`;
      this.#child?.kill("SIGKILL");
    }, timeoutMs);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }
}

async function commandFor(implementation: Implementation): Promise<Command> {
  if (implementation === "deno") return { command: denoPath(), args: ["run", "-A"], env: {} };
  // Dawn refuses old software drivers. SwiftShader is added, not chosen: a real card is still preferred.
  // Bun passes the environment it started with to native code, hence a process of its own.
  const env: Record<string, string> = {};
  if (isChromiumPackaged) env.VK_ADD_DRIVER_FILES = (await packagedChromium()).vulkanDriver;
  return { command: process.execPath, args: ["run"], env };
}

interface Command {
  command: string;
  args: string[];
  env: Record<string, string>;
}

/** An error that shows the case's own stack, not this file's. */
function caseError(message: string): Error {
  const error = new Error(message);
  error.stack = message;
  return error;
}
