import { expect, test } from "bun:test";
import { nextTurn, SharedTurns, Turns } from "#src/turns.ts";

test("a timer that is due runs before nextTurn resolves", async () => {
  let ran = false;
  setTimeout(() => ran = true, 0);
  await nextTurn();
  expect(ran).toBe(true);
});

test("a loop that gives turns lets others in while it works, and one within its slice does not wait", async () => {
  let heard = 0;
  const timer = setInterval(() => heard++, 1);
  const quick = new Turns(60_000);
  for (let i = 0; i < 100; i++) await quick.give();
  expect(heard).toBe(0);
  const turns = new Turns(2);
  let given = 0;
  for (let i = 0; i < 10; i++) {
    const until = performance.now() + 3;
    while (performance.now() < until);
    expect(turns.isDue).toBe(true);
    await turns.give();
    given++;
  }
  clearInterval(timer);
  expect(given).toBe(10);
  expect(heard).toBeGreaterThanOrEqual(5);
});

test("loops that share turns hold the thread no longer together than one alone, and none waits for nothing", async () => {
  let turnsTaken = 0;
  let isOver = false;
  const count = () => {
    turnsTaken++;
    if (!isOver) setTimeout(count, 0);
  };
  setTimeout(count, 0);
  const quick = new SharedTurns(60_000);
  for (let i = 0; i < 100; i++) await quick.give();
  expect(turnsTaken).toBe(0);
  const shared = new SharedTurns(2);
  const LOOPS = 5;
  const ITERATIONS = 10;
  await Promise.all(Array.from({ length: LOOPS }, async () => {
    for (let i = 0; i < ITERATIONS; i++) {
      await shared.give();
      const until = performance.now() + 3; // a slice and a half
      while (performance.now() < until);
    }
  }));
  isOver = true;
  // One iteration a turn. With a slice for each loop, five would fall into one turn.
  expect(turnsTaken).toBeGreaterThanOrEqual(LOOPS * ITERATIONS * 0.8);
});
