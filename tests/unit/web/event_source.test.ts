import { expect, test } from "bun:test";
import { EVENT_TYPES } from "#src/db/schema.ts";
import { TYPES } from "#src/web/event_source.js";

test("the page listens to every type of event that the service has", () => {
  expect(TYPES.toSorted()).toEqual([...EVENT_TYPES].sort());
});
