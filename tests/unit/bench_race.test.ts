import { describe, expect, test } from "bun:test";
import { type Participant, race, standings } from "../../bench/race.ts";

/** Tells how long it took and takes no time; logs who runs, and fails the test where two run at once. */
function entrants(stepMs: Record<string, number>, fail: (name: string, turn: number) => boolean = () => false) {
  const turns: string[] = [];
  const steps: Record<string, number[]> = {};
  let running: string | null = null;
  const participants = Object.entries(stepMs).map(([name, ms]): Participant => ({
    name,
    async run(count) {
      expect(running).toBeNull();
      running = name;
      await Promise.resolve();
      running = null;
      turns.push(name);
      (steps[name] ??= []).push(count);
      if (fail(name, steps[name].length)) throw new Error("ended with 139");
      return { elapsedMs: ms * count, loss: 4 };
    },
  }));
  return { participants, turns, steps };
}

describe("race", () => {
  test("participants take turns, after a first step and one to judge the length of a turn by", async () => {
    const { participants, turns, steps } = entrants({ a: 100, b: 250 });
    const results = await race(participants, 3, 4);
    expect(turns.join("")).toBe("aabb" + "ababab");
    expect(steps).toEqual({ a: [1, 1, 5, 5, 5], b: [1, 1, 2, 2, 2] });
    expect(results.map(({ samples }) => samples)).toEqual([[100, 100, 100], [250, 250, 250]]);
  });

  test("the slow take part in the first rounds only, the fast in bounded turns", async () => {
    const { participants, steps } = entrants({ fast: 0.1, slow: 6000 });
    await race(participants, 10, 4);
    expect(steps.fast).toEqual([1, 1, ...Array(10).fill(50)]);
    expect(steps.slow).toEqual([1, 1, 1, 1, 1]);
  });

  test("one that fails keeps what it has, and the others go on", async () => {
    const { participants, turns } = entrants({ a: 500, b: 500 }, (name, turn) => name === "b" && turn === 4);
    const [a, b] = await race(participants, 3, 4);
    expect(turns.join("")).toBe("aabb" + "ababa");
    expect([a.samples.length, a.failure, b.samples.length, b.failure]).toEqual([3, null, 1, "ended with 139"]);
  });

  test("one that computes something else is not timed", async () => {
    const { participants, turns } = entrants({ a: 500, b: 500 });
    const results = await race(participants, 2, Math.log(65));
    expect(results.map(({ samples, failure }) => [samples.length, failure])).toEqual([[2, null], [2, null]]);
    expect(turns.length).toBe(8);
    const wrong = await race(participants, 2, Math.log(50_257));
    expect(wrong.map(({ samples }) => samples.length)).toEqual([0, 0]);
    expect(wrong[0].failure).toContain("its first loss is 4.000, not near 10.825");
  });

  test("one that fails at its first step has no samples", async () => {
    const { participants } = entrants({ a: 500, b: 500 }, (name) => name === "b");
    const results = await race(participants, 2, 4);
    expect(standings(results, { flops: 1e9, tokens: 100 }).map(({ name }) => name)).toEqual(["a"]);
  });
});

test("standings are rates of the median and ratios to the first", () => {
  const result = { first: { elapsedMs: 1, loss: 4 }, lastLoss: 4, failure: null };
  const [, b] = standings(
    [{ ...result, name: "a", samples: [50, 100, 200] }, { ...result, name: "b", samples: [150, 200, 400] }],
    { flops: 4e9, tokens: 1000 },
  );
  expect([b.ms.median, b.tokensPerSecond, b.gflops]).toEqual([200, 5000, 20]);
  expect([b.ratio, b.bestRatio]).toEqual([2, 3]);
});
