import { pairedRatio, summarize, type Summary } from "./statistics.ts";

/**
 * Participants take turns, round after round, never two at once: what else the machine does then hits all alike, and
 * ratios within a round are to be trusted where milliseconds are not.
 */

export interface Participant {
  name: string;
  /** Trains for `steps` steps and waits for the last to end. */
  run(steps: number): Promise<{ elapsedMs: number; loss: number }>;
}

export interface Result {
  name: string;
  /** The first step's time and loss; the time has what compiles at first use in it. */
  first: { elapsedMs: number; loss: number };
  /** Milliseconds a step, one number a round. */
  samples: number[];
  /** The last round's last loss. */
  lastLoss: number;
  /** Why it took no further part. */
  failure: string | null;
}

/** A turn is about this long, as bursts are in training: one wait for the GPU then weighs little. */
const TURN_MS = 500;
const MOST_STEPS = 50;
/** Where a step takes longer than this, SLOW_ROUNDS rounds must do. */
const SLOW_STEP_MS = 5000;
const SLOW_ROUNDS = 3;
/** Relative: weights near zero give ln V to within a percent or two. */
const LOSS_TOLERANCE = 0.05;

/** @param firstLoss ln V: a participant whose first loss is another computes something else, and is not timed */
export async function race(
  participants: readonly Participant[],
  rounds: number,
  firstLoss: number,
  onTurn: (name: string, round: number) => void = () => {},
): Promise<Result[]> {
  const entries: { participant: Participant; result: Result; steps: number; rounds: number }[] = [];
  for (const participant of participants) {
    onTurn(participant.name, 0);
    const result: Result = {
      name: participant.name,
      first: { elapsedMs: NaN, loss: NaN },
      samples: [],
      lastLoss: NaN,
      failure: null,
    };
    const entry = { participant, result, steps: 1, rounds: 0 };
    entries.push(entry);
    await attempt(result, async () => {
      result.first = await participant.run(1);
      const { loss } = result.first;
      if (!(Math.abs(loss - firstLoss) <= LOSS_TOLERANCE * firstLoss)) {
        throw new Error(
          `computes something else: its first loss is ${loss.toFixed(3)}, not near ${firstLoss.toFixed(3)}`,
        );
      }
      const { elapsedMs } = await participant.run(1);
      entry.steps = Math.max(1, Math.min(MOST_STEPS, Math.round(TURN_MS / elapsedMs)));
      entry.rounds = elapsedMs > SLOW_STEP_MS ? Math.min(rounds, SLOW_ROUNDS) : rounds;
    });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { participant, result, steps, rounds: own } of entries) {
      if (result.failure !== null || round >= own) continue;
      onTurn(participant.name, round + 1);
      await attempt(result, async () => {
        const { elapsedMs, loss } = await participant.run(steps);
        result.samples.push(elapsedMs / steps);
        result.lastLoss = loss;
      });
    }
  }
  return entries.map(({ result }) => result);
}

async function attempt(result: Result, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    result.failure = error instanceof Error ? error.message : String(error);
  }
}

export interface Standing {
  name: string;
  ms: Summary;
  tokensPerSecond: number;
  gflops: number;
  /** Time over the first participant's, the median over rounds: below 1 is faster. */
  ratio: number | null;
  /** The same of the shortest times: where a machine is busy, the nearer to what a quiet one would say. */
  bestRatio: number | null;
}

/** Results with samples, as rates; `flops` and `tokens` are a step's, the same for all. */
export function standings(
  results: readonly Result[],
  { flops, tokens }: { flops: number; tokens: number },
): Standing[] {
  const base = results[0]?.samples ?? [];
  return results.filter(({ samples }) => samples.length > 0).map(({ name, samples }) => {
    const ms = summarize(samples);
    return {
      name,
      ms,
      tokensPerSecond: 1000 * tokens / ms.median,
      gflops: flops / ms.median / 1e6,
      ratio: pairedRatio(samples, base),
      bestRatio: base.length > 0 ? ms.min / Math.min(...base) : null,
    };
  });
}
