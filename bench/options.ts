import { parseArgs } from "node:util";
import { type WorkloadName, WORKLOADS } from "./workloads.ts";

export interface Options {
  workloads: WorkloadName[];
  /** Turns each participant has; 0 times no steps. */
  rounds: number;
  /** Null: whoever is found and needs no installation. Otherwise those whose names begin so; "all" is everyone. */
  peers: string[] | null;
  kernels: boolean;
  profile: boolean;
  /** In place of all the above: what clients of a run's events cost while it trains. */
  streams: boolean;
  /** In place of them, too: what a call that drives a run takes beyond its steps. */
  calls: boolean;
  /** Whether kernels' variants are chosen as before a run; otherwise the defaults. */
  tuning: boolean;
  json: string | null;
  markdown: string | null;
}

export const USAGE = `deno task bench [S] [M] [L]   training steps at these sizes (default: S M)
  --rounds N          turns each participant has (default 7; 0: no steps, only what else is asked for)
  --peers NAME,…      participants whose names begin so, or "all"; installs jax-js where it is missing
  --no-peers          Reverie alone
  --kernels           every kernel of a step at every shape, and its share of the ceiling
  --profile           each kernel's share of a step
  --streams           alone: what 1,000 clients of a run's events cost a server while it trains, over --rounds windows
  --calls             alone: what a call of POST /api/runs/{id}/steps takes beyond its steps, cold and warm
  --no-tuning         every kernel's default variant
  --json FILE, --markdown FILE
  PYTHON=… names a Python with PyTorch, LLM_C=… a checkout of llm.c`;

/** @throws RangeError, TypeError with what is wrong */
export function parseOptions(args: string[]): Options {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "7" },
      peers: { type: "string" },
      "no-peers": { type: "boolean", default: false },
      kernels: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      streams: { type: "boolean", default: false },
      calls: { type: "boolean", default: false },
      "no-tuning": { type: "boolean", default: false },
      json: { type: "string" },
      markdown: { type: "string" },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 0) throw new RangeError(`--rounds takes a count, not ${values.rounds}`);
  if (values["no-peers"] && values.peers !== undefined) {
    throw new RangeError("--peers and --no-peers exclude each other");
  }
  return {
    workloads: (positionals.length > 0 ? positionals : ["S", "M"]).map(workloadName),
    rounds,
    peers: values["no-peers"] ? [] : values.peers?.split(",").filter((name) => name !== "") ?? null,
    kernels: values.kernels,
    profile: values.profile,
    streams: values.streams,
    calls: values.calls,
    tuning: !values["no-tuning"],
    json: values.json ?? null,
    markdown: values.markdown ?? null,
  };
}

function workloadName(name: string): WorkloadName {
  if (Object.hasOwn(WORKLOADS, name)) return name as WorkloadName;
  throw new RangeError(`there is no workload ${name}: ${Object.keys(WORKLOADS).join(", ")}`);
}

/** Whether `--peers` asks for a participant of this name; null asks for all. */
export function isWanted(name: string, peers: readonly string[] | null): boolean {
  return peers === null || peers.some((peer) => peer === "all" || name.startsWith(peer));
}
