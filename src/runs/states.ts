import type { RunStatus } from "../db/schema.ts";
import type { EndReason } from "../train/protocol.ts";

/**
 * The life of a run, as pure functions:
 * `queued → running → succeeded | failed | cancelled`, `paused` from `queued` or `running`, back to `queued` by resume,
 * by a crash or by a restart.
 */

/** What a client asked of a running run, until its trainer has answered. */
export type StopRequest = "paused" | "cancelled";
export type Action = "pause" | "resume" | "cancel";

export type Decision =
  /** Nobody works on it: the status changes at once. */
  | { kind: "move"; to: "paused" | "queued" | "cancelled" }
  /** The trainer is told to stop; the status changes when it has. */
  | { kind: "stop"; request: StopRequest }
  /** It means nothing here: a 409. */
  | { kind: "refuse"; why: string };

export function isFinished(status: RunStatus): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

/** @param waitsForStorage of a paused run that would go on by itself: a pause then holds it */
export function decide(
  action: Action,
  status: RunStatus,
  requested: StopRequest | null,
  waitsForStorage = false,
): Decision {
  const refuse = (why: string): Decision => ({ kind: "refuse", why });
  if (isFinished(status)) return refuse(`the run has ${status === "cancelled" ? "been cancelled" : status}`);
  switch (action) {
    case "pause":
      if (status === "paused" && !waitsForStorage) return refuse("the run is paused already");
      if (status === "paused") return { kind: "move", to: "paused" };
      if (status === "queued") return { kind: "move", to: "paused" };
      if (requested === "cancelled") return refuse("the run is being cancelled");
      return { kind: "stop", request: "paused" };
    case "resume":
      if (status === "paused") return { kind: "move", to: "queued" };
      return refuse(`the run is ${status}, not paused`);
    case "cancel":
      if (status === "running") return { kind: "stop", request: "cancelled" };
      return { kind: "move", to: "cancelled" };
  }
}

/** Ends that say themselves where the run is now; the others are put back, or wait. */
export type SettledReason = Exclude<EndReason, "interrupted" | "storage">;

/**
 * The status after the trainer let go. A stop that a client asked for holds even where the trainer ended for another
 * reason first, and a cancel wins over a pause sent before it.
 */
export function statusAfterEnd(reason: SettledReason, requested: StopRequest | null): RunStatus {
  if (reason === "succeeded" || reason === "failed") return reason;
  if (requested !== null) return requested;
  return reason === "yielded" ? "queued" : reason;
}

/** Crashes in a row without a new checkpoint after which a run is given up. */
export const MAX_STALLED_ATTEMPTS = 5;
/** Deaths of the whole process in a row without a new checkpoint after which a run is given up: others wait for it. */
export const MAX_PROCESS_DEATHS = 2;
