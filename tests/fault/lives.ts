import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningServer, type ServerOptions, startServer } from "../support/server.ts";
import { Client } from "../server/client.ts";

/** Servers that live on one data folder, one after the other. */
export class Lives implements AsyncDisposable {
  readonly dataFolder: string;
  readonly #options: ServerOptions;
  readonly #ownsData: boolean;
  #server: RunningServer | null = null;

  constructor(options: ServerOptions = {}) {
    this.#ownsData = options.dataFolder === undefined;
    this.dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), "reverie-fault-"));
    this.#options = { ...options, dataFolder: this.dataFolder };
  }

  get server(): RunningServer {
    if (!this.#server) throw new Error("no server lives");
    return this.#server;
  }

  /** Starts a server without waiting until it is ready. */
  spawn(): RunningServer {
    return this.#server = new RunningServer(this.#options);
  }

  /** Starts a server and waits until it is ready. */
  async begin(): Promise<Client> {
    this.#server = await startServer(this.#options);
    return new Client(this.#server.url);
  }

  /** Kills the server. @throws where it had ended by itself already, with how and with what it wrote */
  async kill(): Promise<void> {
    await this.#end("SIGKILL", { code: null, signal: "SIGKILL" });
  }

  /** Stops the server as a user would. @throws where it does not end with 0 */
  async stop(): Promise<void> {
    await this.#end("SIGTERM", { code: 0, signal: null });
  }

  async #end(signal: NodeJS.Signals, expected: { code: number | null; signal: NodeJS.Signals | null }): Promise<void> {
    const { server } = this;
    const ending = await server.stop(signal);
    this.#server = null;
    if (ending.code === expected.code && ending.signal === expected.signal) return;
    throw new Error(
      `sent ${signal}, the server ended with ${ending.signal ?? ending.code}\n${server.stdout}${server.stderr}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop("SIGKILL");
    if (this.#ownsData) rmSync(this.dataFolder, { recursive: true, force: true });
  }
}
