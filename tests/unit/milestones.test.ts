import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { hasCheckpointAt, stepsToMilestone, tasksAt } from "#src/train/milestones.ts";
import { MAX_SKIPPED_IN_A_ROW } from "#src/train/run_loop.ts";
import { resolveRunConfig, RunRequest } from "#src/train/config.ts";

function configOf([evaluation, sample, checkpoint]: number[], validation_fraction = 0.1) {
  const request = RunRequest.parse({
    dataset: "text",
    max_steps: 10,
    validation_fraction,
    eval: { every: evaluation },
    sample: { every: sample },
    checkpoint: { every: checkpoint },
  });
  return resolveRunConfig(request, { name: "text", distinctCharacters: 20, tokens: 10_000 });
}

/** By step: e, s and c for what it asks for. */
const planOf = (config: ReturnType<typeof configOf>) =>
  Array.from(
    { length: 11 },
    (_, step) => tasksAt(config, step).map((task) => task[0]).join("") + (hasCheckpointAt(config, step) ? "c" : ""),
  );

test("what each step asks for; the end asks for everything that is on", () => {
  expect(planOf(configOf([4, 3, 5]))).toEqual(["ec", "", "", "s", "e", "c", "s", "", "e", "s", "esc"]);
  expect(planOf(configOf([4, 3, 5], 0))).toEqual(["c", "", "", "s", "", "c", "s", "", "", "s", "sc"]);
});

test("every: 0 leaves the checkpoints of the start and the end", () => {
  expect(planOf(configOf([0, 0, 0]))).toEqual(["c", ...new Array(9).fill(""), "c"]);
  expect(stepsToMilestone(configOf([0, 0, 0]), 3)).toBe(7);
});

test("a burst never passes a milestone", () => {
  const config = configOf([4, 3, 5]);
  expect(Array.from({ length: 10 }, (_, step) => stepsToMilestone(config, step)))
    .toEqual([3, 2, 1, 1, 1, 1, 2, 1, 1, 1]);
});

test("the README says after how many skipped steps a run fails", () => {
  const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`${words[MAX_SKIPPED_IN_A_ROW]} in a row fail the run`);
});
