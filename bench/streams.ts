import SqliteDatabase from "better-sqlite3";
import { type RunningServer, startServer } from "../tests/support/server.ts";
import { waitFor } from "../tests/support/wait_for.ts";
import { cpuSeconds, mainThreadSeconds, residentKib } from "./processes.ts";
import type { Section } from "./report.ts";
import { lines } from "./lines.ts";
import { median, summarize } from "./statistics.ts";
import type { Clients, Found } from "./stream_clients.ts";
import { digits, percent } from "./tables.ts";
import { describeShape, shapeOf, WORKLOADS } from "./workloads.ts";

/**
 * `deno task bench --streams`: what 1,000 clients of one run's events cost while it trains, in windows with and without
 * them, in turns; then clients that break off and come back, and clients that stop reading.
 */

const CLIENTS = 1000;
const CHECKING = 200;
const STALLED = 100;
const WINDOW_MS = 15_000;
/** Connecting is no part of a window. */
const SETTLE_MS = 3000;
const STALL_MS = 60_000;
/** 30 MB for each client that does not read: far more than sockets hold. */
const HISTORY_EVENTS = 20_000;

interface Run {
  id: string;
  step: number;
  status: string;
}

interface Window {
  steps: number;
  stepMs: number;
  /** CPU milliseconds a step, of the whole server: training, requests, streams. */
  serverCpuMs: number;
  /** Shares of one core. */
  mainThread: number;
  clients: number;
  requestMs: number[];
}

export async function benchStreams(rounds: number, progress: (text: string) => void): Promise<Section> {
  await using server = await startServer({ env: { LOG_LEVEL: "warn" } });
  try {
    return await measure(server, rounds, progress);
  } catch (error) {
    throw new Error(`the server said:\n${server.stderr}`, { cause: error });
  }
}

async function measure(server: RunningServer, rounds: number, progress: (text: string) => void): Promise<Section> {
  const load = new Load(server);
  progress("streams: the run compiles and warms up");
  await load.start();
  const quiet: Window[] = [];
  const busy: Window[] = [];
  const kibBefore = residentKib(server.pid);
  let kibWith = NaN;
  for (let round = 1; round <= rounds; round++) {
    progress(`streams: round ${round} of ${rounds}, without clients`);
    quiet.push(await load.window(null));
    progress(`streams: round ${round} of ${rounds}, with ${CLIENTS} clients`);
    const clients = await load.connect({ clients: CLIENTS, mode: "count" });
    await sleep(SETTLE_MS);
    busy.push(await load.window(clients.pid));
    if (round === 1) kibWith = residentKib(server.pid);
    const { ended } = await clients.end();
    if (ended > 0) throw new Error(`${ended} streams ended while the run went on`);
    await sleep(SETTLE_MS);
  }
  progress(`streams: ${CHECKING} clients break off and come back`);
  const checked = await load.check();
  progress(`streams: ${STALLED} clients stop reading`);
  const stalled = await load.stall();
  progress("");
  return {
    title: "Streams under load",
    lines: [
      `${describeShape(shapeOf(WORKLOADS.S))}; ${rounds} windows of ${WINDOW_MS / 1000} s each, in turns`,
      "the clients are a process of this machine and take their share of its cores",
      `a step: ${ratioLine(quiet, busy, ({ stepMs }) => stepMs)} wall; CPU of the server, training and all: ` +
      ratioLine(quiet, busy, ({ serverCpuMs }) => serverCpuMs),
      `memory a client: ${digits((kibWith - kibBefore) / CLIENTS)} KiB of ${digits(kibBefore / 1024)} MiB before`,
      `back with Last-Event-ID: ${checked}`,
      `${STALLED} clients that stop reading, ${HISTORY_EVENTS} events due: ${stalled}`,
    ],
    table: {
      columns: ["clients", "steps", "ms a step", "CPU ms a step", "main thread", "clients' CPU", "p50 ms", "p99 ms"],
      rows: [row("0", quiet), row(String(CLIENTS), busy)],
    },
  };
}

function ratioLine(quiet: Window[], busy: Window[], of: (window: Window) => number): string {
  const ratios = busy.map((window, round) => of(window) / of(quiet[round]));
  const { min, max } = summarize(ratios);
  const show = (ratio: number) => `${ratio < 1 ? "−" : "+"}${digits(100 * Math.abs(ratio - 1))} %`;
  return `${show(median(ratios))} (${show(min)} to ${show(max)})`;
}

function row(name: string, windows: Window[]): string[] {
  const requests = windows.flatMap(({ requestMs }) => requestMs).sort((a, b) => a - b);
  const of = (pick: (window: Window) => number) => median(windows.map(pick));
  return [
    name,
    String(windows.reduce((sum, { steps }) => sum + steps, 0)),
    digits(of(({ stepMs }) => stepMs)),
    digits(of(({ serverCpuMs }) => serverCpuMs)),
    percent(of(({ mainThread }) => mainThread)),
    percent(of(({ clients }) => clients)),
    digits(median(requests)),
    digits(requests[Math.floor(0.99 * requests.length)]),
  ];
}

/** One server, one run that trains, and those who follow it. */
class Load {
  #runId = "";

  constructor(private readonly server: RunningServer) {}

  async start(): Promise<void> {
    const { model, context_length, batch_size } = WORKLOADS.S;
    const never = { every: 10_000_000 };
    const body = { dataset: "sample", max_steps: 10_000_000, model, context_length, batch_size };
    const init = { method: "POST", headers: { "content-type": "application/json" } };
    const config = { ...body, eval: never, checkpoint: never, sample: never };
    const run = await this.#json("/api/runs", { ...init, body: JSON.stringify(config) });
    this.#runId = run.id;
    await waitFor("step 100", async () => (await this.#run()).step >= 100, { timeoutMs: 180_000, everyMs: 200 });
  }

  /** Measures while it waits. @param clients pid of the clients' process, if there is one */
  async window(clients: number | null): Promise<Window> {
    const { pid } = this.server;
    const cpu = () => ({
      server: cpuSeconds(pid),
      main: mainThreadSeconds(pid),
      clients: clients === null ? 0 : cpuSeconds(clients),
      at: performance.now(),
    });
    const first = (await this.#run()).step;
    const before = cpu();
    const requestMs: number[] = [];
    while (performance.now() - before.at < WINDOW_MS) {
      const start = performance.now();
      await this.#run();
      requestMs.push(performance.now() - start);
      await sleep(50);
    }
    const after = cpu();
    const last = (await this.#run()).step;
    const steps = await this.#stepMs(first + 1, last);
    const seconds = (after.at - before.at) / 1000;
    return {
      steps: last - first,
      stepMs: steps.reduce((sum, ms) => sum + ms, 0) / steps.length,
      serverCpuMs: 1000 * (after.server - before.server) / (last - first),
      mainThread: (after.main - before.main) / seconds,
      clients: (after.clients - before.clients) / seconds,
      requestMs,
    };
  }

  /** Clients that follow from now on. */
  async connect(clients: Pick<Clients, "clients" | "mode" | "until">, after?: number): Promise<ClientProcess> {
    const { hostname, port } = new URL(this.server.url);
    const from = after ?? await this.#lastSequence();
    const path = `/api/runs/${this.#runId}/events?after=${from}`;
    return await ClientProcess.start({ ...clients, hostname, port: Number(port), path });
  }

  /** Each event once and in order, for clients that come and go. */
  async check(): Promise<string> {
    const from = await this.#lastSequence();
    const until = from + 100; // 20 s of a run with five a second
    const clients = await this.connect({ clients: CHECKING, mode: "check", until }, from);
    const { events, faults, reconnects } = await clients.found();
    const wrong = events.filter((count) => count < 100).length + (CHECKING - events.length);
    if (faults.length > 0 || wrong > 0) throw new Error([`${wrong} clients lack events`, ...faults].join("\n"));
    return `${CHECKING} clients, ${reconnects} reconnects, every event once and in order`;
  }

  /** What those cost who read nothing of a long history that is due to them. */
  async stall(): Promise<string> {
    const from = await this.#lastSequence();
    const isStatus = (status: string) => async () => (await this.#run()).status === status;
    await this.#json(`/api/runs/${this.#runId}/pause`, { method: "POST" });
    await waitFor("the pause", isStatus("paused"));
    this.#writeHistory(); // the server is the only writer there may be while a run trains
    await this.#json(`/api/runs/${this.#runId}/resume`, { method: "POST" });
    await waitFor("the run", isStatus("running"));
    // A run that starts takes memory for half a minute.
    await sleep(STALL_MS / 2);
    const before = residentKib(this.server.pid);
    const clients = await this.connect({ clients: STALLED, mode: "stall" }, from);
    await sleep(STALL_MS);
    const after = residentKib(this.server.pid);
    await clients.end();
    return `${digits((after - before) / STALLED)} KiB each after ${STALL_MS / 1000} s`;
  }

  #writeHistory(): void {
    const db = new SqliteDatabase(`${this.server.dataFolder}/reverie.db`);
    db.pragma("busy_timeout = 5000");
    const insert = db.prepare("insert into events (run_id, type, timestamp, data) values (?, 'run.sampled', ?, ?)");
    const data = JSON.stringify({ step: 0, prompt: "\n", text: "x".repeat(1400) });
    const at = new Date().toISOString();
    db.transaction(() => {
      for (let i = 0; i < HISTORY_EVENTS; i++) insert.run(this.#runId, at, data);
    })();
    db.close();
  }

  #run(): Promise<Run> {
    return this.#json(`/api/runs/${this.#runId}`);
  }

  async #lastSequence(): Promise<number> {
    const path = `/api/runs/${this.#runId}/events?order=desc&limit=1`;
    const page = await this.#json<{ data: { sequence: number }[] }>(path, { headers: { accept: "application/json" } });
    return page.data[0].sequence;
  }

  async #stepMs(from: number, to: number): Promise<number[]> {
    const name = "train/step_ms";
    const query = `name=${name}&from_step=${from}&to_step=${to}&max_points=10000`;
    type Metrics = { series: Record<string, { values: number[] }> };
    const metrics = await this.#json<Metrics>(`/api/runs/${this.#runId}/metrics?${query}`);
    return metrics.series[name].values;
  }

  async #json<T = Run>(path: string, init?: RequestInit): Promise<T> {
    const response = await fetch(this.server.url + path, init);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  }
}

class ClientProcess {
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  private constructor(private readonly process: Deno.ChildProcess) {
    this.#stdin = process.stdin.getWriter();
    this.#lines = lines(process.stdout);
  }

  static async start(clients: Clients): Promise<ClientProcess> {
    const script = new URL("./stream_clients.ts", import.meta.url).pathname;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, JSON.stringify(clients)],
      stdin: "piped",
      stdout: "piped",
    });
    const process = new ClientProcess(command.spawn());
    await process.#next();
    return process;
  }

  get pid(): number {
    return this.process.pid;
  }

  async end(): Promise<Found> {
    await this.#stdin.close();
    return await this.found();
  }

  async found(): Promise<Found> {
    return JSON.parse(await this.#next());
  }

  async #next(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("the clients' process ended early");
    return value;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
