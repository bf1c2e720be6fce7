import { cpus, loadavg } from "node:os";
import { pinBackend } from "../src/gpu/backend.ts";
import { Gpu } from "../src/gpu/device.ts";
import { type DispatchTime, timeDispatches } from "../src/gpu/timing.ts";
import { findCard } from "./card.ts";
import { benchCalls } from "./calls.ts";
import { measureCeiling } from "./ceiling.ts";
import { Child, type Launch } from "./child.ts";
import { betweenDispatches, groupDispatches, kernelTable, profileTable } from "./kernels.ts";
import { parseOptions, USAGE } from "./options.ts";
import { findPeers } from "./peers.ts";
import { race, standings } from "./race.ts";
import { machineSection, type Report, type Section, stepsSection, toConsole, toMarkdown } from "./report.ts";
import { benchStreams } from "./streams.ts";
import { createTrainer } from "./trainer.ts";
import { randomBatches, shapeOf, type WorkloadName, WORKLOADS } from "./workloads.ts";

/**
 * `deno task bench`: training steps of Reverie and of the peers found here, in turns, and with `--kernels` and
 * `--profile` where Reverie's steps spend their time. `bench/README.md` says how to read it.
 */

/** Replays of a step's plans with a timestamp around each dispatch. */
const PROFILED_ROUNDS = 5;
/** No further replay begins after this long. */
const PROFILED_MS = 60_000;

const [load] = loadavg();
const options = readOptions();
const sections: Section[] = [];
if (options.streams || options.calls) {
  if (options.streams) show(await benchStreams(options.rounds, progress));
  if (options.calls) { for (const name of options.workloads) show(await benchCalls(name, options.rounds, progress)); }
  if (options.markdown) await Deno.writeTextFile(options.markdown, sections.map(toMarkdown).join("\n"));
  Deno.exit();
}
const peers = await findPeers(options.peers);
pinBackend();
const gpu = await Gpu.open(navigator.gpu);
const report: Report = {
  date: new Date().toISOString(),
  machine: {
    adapter: gpu.identity.name,
    software: gpu.identity.software,
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    deno: Deno.version.deno,
    load,
  },
  ceiling: await measureCeiling(gpu),
  card: await findCard(peers.pytorch?.card ?? null),
  workloads: [],
};
show(machineSection(report));
for (const note of peers.notes) console.log(`  without ${note}`);
console.log();
for (const name of options.workloads) await benchWorkload(name);
gpu.close();
if (options.json) await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
if (options.markdown) await Deno.writeTextFile(options.markdown, sections.map(toMarkdown).join("\n"));

async function benchWorkload(name: WorkloadName): Promise<void> {
  const config = WORKLOADS[name];
  const shape = shapeOf(config);
  const workload: Report["workloads"][number] = {
    name,
    shape,
    flops: NaN,
    tokens: config.batch_size * config.context_length,
    results: [],
    standings: [],
    about: {},
    kernels: [],
    betweenDispatchesMs: null,
    notes: [],
  };
  report.workloads.push(workload);
  if (options.rounds > 0) {
    const children: Child[] = [];
    try {
      for (const launch of [reverie(name), ...peers.launches]) {
        progress(`${name}: starting ${launch.name}`);
        try {
          const child = await Child.start(launch, shape);
          children.push(child);
          workload.about[launch.name] = String(child.about.ready);
          if (launch.name !== "reverie") continue;
          workload.flops = Number(child.about.flops);
          workload.notes.push(`reverie: ${child.about.ready}`);
        } catch (error) {
          if (launch.name === "reverie") throw error;
          workload.notes.push(`${launch.name}: ${error instanceof Error ? error.message : error}`);
        }
      }
      workload.results = await race(children, options.rounds, Math.log(shape.vocabulary), (participant, round) => {
        progress(`${name}: ${participant}, ${round === 0 ? "warm-up" : `round ${round} of ${options.rounds}`}`);
      });
    } finally {
      await Promise.all(children.map((child) => child.stop()));
      progress("");
    }
    workload.standings = standings(workload.results, workload);
    show(stepsSection(workload, report));
  }
  if (options.kernels || options.profile) await benchKernels(workload);
}

async function benchKernels(workload: Report["workloads"][number]): Promise<void> {
  if (!gpu.device.features.has("timestamp-query")) {
    return show({ title: workload.name, lines: ["no kernels: the adapter has no timestamp queries"], table: null });
  }
  const config = WORKLOADS[workload.name as WorkloadName];
  const { trainer, about } = await createTrainer(gpu, config, options);
  await trainer.train(randomBatches(config), 1); // compiles, and leaves a batch to replay
  const rounds: DispatchTime[][] = [];
  const plans = [trainer.plans.microStep, trainer.plans.update];
  const start = performance.now();
  for (let round = 0; round < PROFILED_ROUNDS; round++) {
    if (round > 0 && performance.now() - start > PROFILED_MS) break;
    progress(`${workload.name}: kernels, round ${round + 1} of ${PROFILED_ROUNDS}`);
    rounds.push(await timeDispatches(gpu, plans));
  }
  progress("");
  trainer.free();
  workload.kernels = groupDispatches(rounds);
  workload.betweenDispatchesMs = betweenDispatches(rounds);
  const lines = [`timestamps around each dispatch, medians over ${rounds.length} replays of a step`, about];
  if (options.profile) {
    const table = profileTable(workload.kernels, workload.betweenDispatchesMs, report.ceiling);
    show({ title: `${workload.name}, shares of a step`, lines, table });
  }
  if (options.kernels) {
    const table = kernelTable(workload.kernels, report.ceiling);
    show({ title: `${workload.name}, kernels by shape`, lines, table });
  }
}

function reverie(name: WorkloadName): Launch {
  const script = new URL("./reverie.ts", import.meta.url).pathname;
  return {
    name: "reverie",
    command: [Deno.execPath(), "run", "-A", script, name, options.tuning ? "tuned" : "untuned"],
  };
}

function readOptions() {
  try {
    return parseOptions(Deno.args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    Deno.exit(2);
  }
}

function show(section: Section): void {
  sections.push(section);
  console.log(toConsole(section));
}

/** One line that is written over, on a terminal; nothing elsewhere. */
function progress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}
