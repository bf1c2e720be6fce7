import process from "node:process";
import { Random } from "#src/data/random.ts";

/** Of all that is random here; REVERIE_FAULT_SEED repeats it. */
export const SEED = Number(process.env.REVERIE_FAULT_SEED ?? Date.now() % 2 ** 32);

/** Each test takes a stream of its own, and says the seed. */
export function randomOf(stream: number): Random {
  console.log(`REVERIE_FAULT_SEED=${SEED}`);
  return new Random(SEED, stream);
}

export function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
