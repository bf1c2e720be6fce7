import { describe, expect, test } from "bun:test";
import { RUN_STATUSES, type RunStatus } from "#src/db/schema.ts";
import { type Action, decide, isFinished, statusAfterEnd } from "#src/runs/states.ts";

describe("what an action does", () => {
  const expected: Record<Action, Partial<Record<RunStatus, string>>> = {
    pause: { queued: "move paused", running: "stop paused" },
    resume: { paused: "move queued" },
    cancel: { queued: "move cancelled", paused: "move cancelled", running: "stop cancelled" },
  };
  for (const action of ["pause", "resume", "cancel"] as const) {
    test.each(RUN_STATUSES.map((status) => [status]))(`${action} when %s`, (status) => {
      const decision = decide(action, status, null);
      const said = decision.kind === "move"
        ? `move ${decision.to}`
        : decision.kind === "stop"
        ? `stop ${decision.request}`
        : undefined;
      expect(said).toBe(expected[action][status]);
    });
  }

  test("a cancel may follow a pause that is under way, a pause no cancel", () => {
    expect(decide("cancel", "running", "paused")).toEqual({ kind: "stop", request: "cancelled" });
    expect(decide("pause", "running", "cancelled").kind).toBe("refuse");
  });
});

describe("the status after the trainer let go", () => {
  test.each(
    [
      ["succeeded", null, "succeeded"],
      ["succeeded", "cancelled", "succeeded"],
      ["failed", "paused", "failed"],
      ["paused", "paused", "paused"],
      ["paused", "cancelled", "cancelled"],
      ["yielded", null, "queued"],
      ["yielded", "paused", "paused"],
    ] as const,
  )("%s, asked for %p: %s", (reason, requested, status) => {
    expect(statusAfterEnd(reason, requested)).toBe(status);
  });
});

test("finished is what nothing can change", () => {
  expect(RUN_STATUSES.filter(isFinished)).toEqual(["succeeded", "failed", "cancelled"]);
});
