import { createHash } from "node:crypto";
import { candidatesFor, choiceKey, type Choices } from "../gpu/choices.ts";
import { type Gpu, GpuError } from "../gpu/device.ts";
import type { Variant } from "../gpu/kernel.ts";
import type { Dispatch } from "../gpu/plan.ts";
import { Turns } from "../turns.ts";
import { Trial } from "./trial.ts";

/** What was found of one candidate. */
export interface Finding {
  /** `choiceKey`'s. */
  key: string;
  variant: string;
  /** Hash of its program and of what it was timed against: of any other nothing is known. */
  code: string;
  /** Times as fast as what is taken without a choice; null where it computed something else. */
  speedup: number | null;
}

export interface Tuned {
  /** For every kernel and shape that has something to choose: the default, where nothing better is known. */
  choices: Choices;
  /** What was not known before. */
  findings: Finding[];
  /** Of the variants chosen in place of the default, by key. */
  speedups: Record<string, number>;
  /** Why it ended early; null where it did not, or for want of time. */
  failure: string | null;
}

interface TuneOptions {
  known: readonly Finding[];
  /** No candidate is begun that would probably pass it. */
  budgetMs: number;
  stop: () => boolean;
}

/** A choice must promise more than timings err by. */
const WORTH_CHOOSING = 1.03;

interface Candidate extends Finding {
  program: Variant<string>;
}

/** A kernel on a shape. */
export interface Subject {
  key: string;
  dispatch: Dispatch;
  /** What is taken without a choice. */
  standard: Variant<string>;
  candidates: Candidate[];
  /** Of all dispatches of this kind: what a faster variant gains grows with it. */
  flops: number;
}

/** What is not known yet, as if it were wrong: what stays known of a candidate that costs the process its life. */
export function unknownTo(known: readonly Finding[], subjects: readonly Subject[]): Finding[] {
  const ids = new Set(known.map(idOf));
  return subjects.flatMap(({ candidates }) => candidates.filter((candidate) => !ids.has(idOf(candidate))).map(bare));
}

/**
 * Chooses a variant for each of these kernels and shapes, and times what is not known yet, in their order. Overwrites
 * the matrices that their dispatches are bound to.
 * @throws GpuError where the device is lost
 */
export async function tune(
  gpu: Gpu,
  subjects: readonly Subject[],
  { known, budgetMs, stop }: TuneOptions,
): Promise<Tuned> {
  const start = performance.now();
  const turns = new Turns();
  const findings: Candidate[] = [];
  let failure: string | null = null;
  const found = new Map(known.map((finding) => [idOf(finding), finding.speedup]));
  /** The longest check, compilation included, and the longest timing: what must fit before another begins. */
  const longest = { checkMs: 0, timingMs: 0 };
  const isOver = () => stop() || performance.now() - start + longest.checkMs + longest.timingMs >= budgetMs;
  const measure = async <T>(part: keyof typeof longest, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    longest[part] = Math.max(longest[part], performance.now() - began);
    return result;
  };
  for (const { dispatch, standard, candidates } of subjects) {
    const unknown = candidates.filter((candidate) => !found.has(idOf(candidate)));
    if (unknown.length === 0) continue;
    if (isOver()) break;
    let trial: Trial | null = null;
    try {
      const held = trial = await Trial.of(gpu, dispatch);
      const expected = await measure("checkMs", () => held.run(standard));
      const right: Candidate[] = [];
      for (const candidate of unknown) {
        if (isOver()) break;
        findings.push(candidate);
        const isRight = await measure("checkMs", () => held.isRight(candidate.program, expected));
        if (isRight) right.push(candidate);
        await turns.give(); // commands arrive, a stop among them
      }
      if (right.length === 0) continue;
      const programs = right.map(({ program }) => program);
      const speedups = await measure("timingMs", () => held.speedups(standard, programs));
      for (const [i, candidate] of right.entries()) candidate.speedup = speedups[i];
    } catch (error) {
      if (!(error instanceof GpuError) || await gpu.isLost(100)) throw error;
      failure = error.message; // no memory, say: what is left keeps its default
      break;
    } finally {
      trial?.free();
    }
  }
  for (const finding of findings) found.set(idOf(finding), finding.speedup);
  const choices: Record<string, string> = {};
  const speedups: Record<string, number> = {};
  for (const { key, standard, candidates } of subjects) {
    choices[key] = standard.name;
    for (const candidate of candidates) {
      const speedup = found.get(idOf(candidate)) ?? 0;
      if (speedup < WORTH_CHOOSING || speedup <= (speedups[key] ?? 0)) continue;
      choices[key] = candidate.variant;
      speedups[key] = speedup;
    }
  }
  return { choices, speedups, findings: findings.map(bare), failure };
}

function bare({ key, variant, code, speedup }: Finding): Finding {
  return { key, variant, code, speedup };
}

/** What there is to choose, the most work first. */
export function subjectsOf(gpu: Gpu, dispatches: readonly Dispatch[]): Subject[] {
  const subjects = new Map<string, Subject>();
  for (const dispatch of dispatches) {
    const { kernel, dims, bindings, cost } = dispatch;
    const key = choiceKey(kernel, dims, bindings);
    if (key === null) continue;
    let subject = subjects.get(key);
    if (!subject) {
      const [standard, ...others] = candidatesFor(kernel, dims, gpu.traits);
      const candidates = others.map((program): Candidate => {
        const code = hashOf(kernel.code(standard, dims, bindings), kernel.code(program, dims, bindings));
        return { key, variant: program.name, code, speedup: null, program };
      });
      subjects.set(key, subject = { key, dispatch, standard, candidates, flops: 0 });
    }
    subject.flops += cost.flops;
  }
  return [...subjects.values()].sort((a, b) => b.flops - a.flops);
}

function hashOf(...programs: string[]): string {
  return createHash("sha256").update(programs.join("\0")).digest("hex").slice(0, 16);
}

export function idOf({ key, variant, code }: Pick<Finding, "key" | "variant" | "code">): string {
  return `${key}; ${variant}; ${code}`;
}
