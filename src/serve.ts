import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { answerProblem, createApp } from "./app.ts";
import { describeStorageError, isStorageError } from "./data/storage_error.ts";
import { sampleText } from "./data/sample_corpus.ts";
import { EnvError, readEnv } from "./env.ts";
import { BadRequestError, RequestTimeoutError } from "./errors.ts";
import { PATIENCE, type PatienceLimits } from "./http/limits.ts";
import { type HttpServer, listen } from "./http_server.ts";
import { openLog } from "./log.ts";
import { openReverie } from "./runs/reverie.ts";
import type { DeviceState } from "./runs/trainer_pool.ts";
import type { TrainerPort } from "./runs/trainer_port.ts";

/**
 * The composition root: environment in, one server out.
 * @throws {EnvError} where this machine does not let it start
 */
async function start(openTrainer: () => TrainerPort, patience: PatienceLimits): Promise<void> {
  const env = readEnv(process.env);
  const log = openLog(env.logLevel);
  const lock = await lockFolder(env.dataFolder);

  const reverie = await openReverie({ ...env, log, openTrainer, sampleText });
  const app = createApp(reverie, env);
  let server: HttpServer | undefined;
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    const drained = server?.close(); // takes no new connection; ends when the open ones are answered
    await reverie.stop();
    await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
    reverie.close();
    lock.close();
    Deno.exit(0);
  };
  // Before the line that says it is ready: who reads that may stop the server at once.
  Deno.addSignalListener("SIGTERM", () => void stop("SIGTERM"));
  Deno.addSignalListener("SIGINT", () => void stop("SIGINT"));

  try {
    server = await listen(env.host, env.port, {
      answer: (request, remoteAddress) => app.fetch(request, { remoteAddress }),
      refuse: ({ message }) => answerProblem(new BadRequestError(message), crypto.randomUUID()),
      refuseStalled: () => answerProblem(new RequestTimeoutError(), crypto.randomUUID()),
      reportRefused: ({ limit, ...facts }) => log.warn({ ...facts, setting: SETTINGS[limit] }, "too many connections"),
    }, { ...patience, ...env });
    const host = server.hostname.includes(":") ? `[${server.hostname}]` : server.hostname;
    console.log(`Reverie listens on http://${host}:${server.port} with ${nameDevice(reverie.runner.device)}`);
  } catch (error) {
    stopping = true;
    await reverie.stop(); // a queued run may have started already
    reverie.close();
    throw new EnvError(`cannot listen on HOST=${env.host}, PORT=${env.port}: ${messageOf(error)}`);
  }
}

/** The setting of each limit, for the operator. */
const SETTINGS = {
  maxConnections: "REVERIE_MAX_CONNECTIONS",
  maxConnectionsPerAddress: "REVERIE_MAX_CONNECTIONS_PER_ADDRESS",
};

/** How long a download that is still under way when everything else has stopped may go on. */
const DRAIN_MS = 1000;

/** Two servers on one folder would put back each other's runs. The lock ends with the process, however it dies. */
async function lockFolder(folder: string): Promise<Deno.FsFile> {
  const file = await openLock(folder);
  if (await file.tryLock(true)) return file;
  throw new EnvError(`REVERIE_DATA=${folder} is in use by another server: stop that one, or choose another folder`);
}

async function openLock(folder: string): Promise<Deno.FsFile> {
  try {
    mkdirSync(folder, { recursive: true });
    return await Deno.open(join(folder, "lock"), { create: true, write: true });
  } catch (error) {
    throw new EnvError(`REVERIE_DATA=${folder} cannot be written: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function nameDevice(state: DeviceState): string {
  if (state.status !== "ready") return `no GPU (${state.status === "none" ? state.reason : state.status})`;
  const { name, software, measured } = state.device;
  return `${name} (${software ? "software" : "hardware"}, ${measured.gflops.toFixed(1)} GFLOP/s)`;
}

/** Serves until a signal ends it; where it cannot start, it says why in a line and exits with 1. */
export async function serve(openTrainer: () => TrainerPort, patience = PATIENCE): Promise<void> {
  try {
    await start(openTrainer, patience);
  } catch (error) {
    const isStorage = isStorageError(error);
    if (!(error instanceof EnvError) && !isStorage) throw error;
    const why = isStorage ? `the data folder cannot be used: ${describeStorageError(error)}` : error.message;
    console.error(`Reverie cannot start: ${why}`);
    Deno.exit(1);
  }
}
