import { expect, test } from "bun:test";
import { isId, newId } from "#src/db/ids.ts";

test("ids sort by creation, even within a millisecond", () => {
  const ids = Array.from({ length: 10_000 }, () => newId("run"));
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test("an id says what it names", () => {
  expect(isId("run", newId("run"))).toBe(true);
  expect(isId("ds", newId("run"))).toBe(false);
  expect(isId("run", "run_short")).toBe(false);
});
