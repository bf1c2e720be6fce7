import type { Card } from "./card.ts";
import type { Ceiling } from "./ceiling.ts";
import type { KernelGroup } from "./kernels.ts";
import type { Result, Standing } from "./race.ts";
import { consoleTable, digits, markdownTable, percent, type Table } from "./tables.ts";
import { describeShape, type Shape } from "./workloads.ts";

/** All that one run of the benchmark found; `--json` writes it as it is. */
export interface Report {
  date: string;
  /** `load`: the load average of the minute before. */
  machine: { adapter: string; software: boolean; processor: string; cores: number; deno: string; load: number };
  ceiling: Ceiling;
  card: Card | null;
  workloads: WorkloadReport[];
}

export interface WorkloadReport {
  name: string;
  shape: Shape;
  /** A step's, Reverie's count, for all participants. */
  flops: number;
  tokens: number;
  results: Result[];
  standings: Standing[];
  /** What each participant says it is. */
  about: Record<string, string>;
  kernels: KernelGroup[];
  betweenDispatchesMs: number | null;
  notes: string[];
}

export interface Section {
  title: string;
  lines: string[];
  table: Table | null;
}

export function machineSection({ machine, ceiling, card }: Report): Section {
  const lines = [
    `${machine.adapter} (${machine.software ? "software" : "hardware"}); ${machine.processor}, ${machine.cores} cores`,
    `ceiling, measured in WGSL: ${digits(ceiling.gflops)} GFLOP/s f32 (${ceiling.gflopsWith}), ` +
    `${digits(ceiling.gigabytesPerSecond)} GB/s read and written (${ceiling.bandwidthWith})`,
  ];
  if (machine.load > 0.2 * machine.cores) {
    lines.push(
      `other programs were at work (load ${digits(machine.load)}): they hit participants unequally, OpenMP's most`,
    );
  }
  if (card) {
    lines.push(
      `${card.name}, driver ${card.driver}: f32 peak ${known(card.gflops, "GFLOP/s")}, ` +
        `memory ${known(card.gigabytesPerSecond, "GB/s")}`,
      `the ceiling is ${percent(ratio(ceiling.gflops, card.gflops))} and ` +
        `${percent(ratio(ceiling.gigabytesPerSecond, card.gigabytesPerSecond))} of the card's`,
    );
  }
  return { title: "Machine", lines, table: null };
}

function known(value: number | null, unit: string): string {
  return value === null ? "unknown" : `${digits(value)} ${unit}`;
}

function ratio(value: number, of: number | null): number | null {
  return of === null ? null : value / of;
}

/** A workload's training steps, one row a participant, the order that of the race. */
export function stepsSection(workload: WorkloadReport, { ceiling, card }: Report): Section {
  const peak = card?.gflops ?? null;
  const columns = ["participant", "ms a step", "min–max", "rounds", "tokens/s", "GFLOP/s", "of ceiling"];
  const rows = workload.standings.map(({ name, ms, tokensPerSecond, gflops, ratio: paired, bestRatio }) => [
    name,
    digits(ms.median),
    `${digits(ms.min)}–${digits(ms.max)}`,
    String(ms.count),
    digits(tokensPerSecond),
    digits(gflops),
    percent(gflops / ceiling.gflops),
    ...(peak === null ? [] : [percent(gflops / peak)]),
    digits(paired ?? NaN),
    digits(bestRatio ?? NaN),
  ]);
  const failures = workload.results.flatMap(({ name, failure }) => failure === null ? [] : [`${name}: ${failure}`]);
  return {
    title: workload.name,
    lines: [
      `${describeShape(workload.shape)}; ${digits(workload.flops / 1e9)} GFLOP and ${workload.tokens} tokens a step`,
      ...failures,
      ...workload.notes,
    ],
    table: rows.length === 0 ? null : {
      columns: [...columns, ...(peak === null ? [] : ["of the card"]), "time / Reverie's", "best / best"],
      rows,
    },
  };
}

export function toConsole({ title, lines, table }: Section): string {
  return [title, ...lines.map((line) => `  ${line}`), ...(table ? ["", consoleTable(table)] : []), ""].join("\n");
}

export function toMarkdown({ title, lines, table }: Section): string {
  return [`## ${title}`, "", lines.join("  \n"), ...(table ? ["", markdownTable(table)] : []), ""].join("\n");
}
