import { lines } from "./lines.ts";
import type { Participant } from "./race.ts";
import type { Shape } from "./workloads.ts";

/**
 * A participant in a process of its own, which trains when asked. It is started with the model's shape as its last
 * argument, and speaks JSON lines: it prints `{"ready": "what it is"}`, then answers each `{"steps": k}` with
 * `{"elapsedMs": …, "loss": …}`. Lines that are not JSON objects are its own affair.
 */

export interface Launch {
  name: string;
  command: string[];
  cwd?: string;
  env?: Record<string, string>;
}

/** What a participant prints to stderr is kept, to be shown where it fails. */
const STDERR_LINES = 12;

export class Child implements Participant {
  readonly #process: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncIterator<Record<string, unknown>>;
  readonly #stderr: string[] = [];
  readonly #stderrRead: Promise<void>;
  /** What it said when it was ready. */
  about: Record<string, unknown> = {};

  private constructor(readonly name: string, process: Deno.ChildProcess) {
    this.#process = process;
    this.#requests = process.stdin.getWriter();
    this.#answers = jsonLines(process.stdout);
    this.#stderrRead = this.#keepStderr();
  }

  /**
   * Starts it and waits until it is ready.
   * @throws Error with the end of its stderr
   */
  static async start({ name, command: [program, ...args], cwd, env }: Launch, shape: Shape): Promise<Child> {
    const process = new Deno.Command(program, {
      args: [...args, JSON.stringify(shape)],
      cwd,
      // Where a shell limits OpenMP to one thread, peers would not be at their best.
      env: { ...withoutThreadLimits(Deno.env.toObject()), XDG_RUNTIME_DIR: "/tmp", NO_COLOR: "1", ...env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const child = new Child(name, process);
    child.about = await child.#next();
    return child;
  }

  async run(steps: number): Promise<{ elapsedMs: number; loss: number }> {
    await this.#requests.write(new TextEncoder().encode(JSON.stringify({ steps }) + "\n")).catch(() => {});
    const { elapsedMs, loss } = await this.#next();
    if (typeof elapsedMs !== "number") throw new Error(`${this.name} answered without elapsedMs`);
    return { elapsedMs, loss: typeof loss === "number" ? loss : NaN };
  }

  /** Ends it: each ends itself when its stdin does, and is killed where it has not after a second. */
  async stop(): Promise<void> {
    await this.#requests.close().catch(() => {});
    let ended = false;
    const timer = setTimeout(() => ended || this.#process.kill("SIGKILL"), 1000);
    await this.#process.status;
    ended = true;
    clearTimeout(timer);
  }

  async #next(): Promise<Record<string, unknown>> {
    const { done, value } = await this.#answers.next();
    if (!done) return value;
    const { code, signal } = await this.#process.status;
    await this.#stderrRead;
    throw new Error([`ended with ${signal ?? code}`, ...this.#stderr].join("\n"));
  }

  async #keepStderr(): Promise<void> {
    for await (const line of lines(this.#process.stderr)) {
      if (/^\s+at /.test(line)) continue; // a stack says little here
      this.#stderr.push(line);
      if (this.#stderr.length > STDERR_LINES) this.#stderr.shift();
    }
  }
}

function withoutThreadLimits(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(OMP|MKL|OPENBLAS)_NUM_THREADS$/.test(name)));
}

async function* jsonLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<Record<string, unknown>> {
  for await (const line of lines(stream)) {
    if (!line.startsWith("{")) continue;
    try {
      yield JSON.parse(line);
    } catch {
      // not an answer
    }
  }
}
