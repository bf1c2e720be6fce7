import { appendFileSync } from "node:fs";
import process from "node:process";

/**
 * Notes a test that this adapter cannot run. Bun can only count it as passed: a test must be skipped before it begins,
 * and what an adapter lacks is known later. So `scripts/test.ts` names a file for these notes, and subtracts them.
 */
export function noteNotRun(name: string): void {
  console.warn(`not run on this adapter: ${name}`);
  const file = process.env.REVERIE_NOT_RUN_FILE;
  if (file !== undefined) appendFileSync(file, `${name}\n`);
}
