import type { Context } from "hono";
import { ProblemError, problemOf } from "#src/errors.ts";
import type { CallLimits } from "#src/runs/calls.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import type { AppEnv } from "./common.ts";
import { eventStream } from "./event_stream.ts";

/**
 * Drives a run and streams its events meanwhile, ended by one of type `steps` with the answer, or of type `error` with
 * the problem. What is refused at once is thrown, and answered with its status. A client that goes away does not stop
 * the call: it is bounded anyway.
 */
export function streamSteps(c: Context<AppEnv>, reverie: Reverie, id: string, limits: CallLimits): Response {
  const { runner, events, log } = reverie;
  const after = events.lastSequence();
  let isOver = false;
  const outcome = runner.invoke(id, limits).then(
    (taken) => message("steps", taken),
    (error) => {
      const isProblem = error instanceof ProblemError;
      if (!isProblem) log.error({ err: error }, "a call failed");
      const problem = isProblem ? error : new ProblemError(500, "Internal error", "the server's log says more");
      return message("error", problemOf(problem, c.var.requestId));
    },
  ).finally(() => {
    isOver = true;
    events.wake();
  });
  const follower = events.follow({ runId: id }, after, () => isOver);
  let isLast = false;
  return eventStream({
    async next() {
      if (isLast) return null;
      const piece = await follower.next();
      if (piece !== null) return piece;
      isLast = true;
      return await outcome;
    },
    leave: () => follower.leave(),
  });
}

function message(type: string, data: unknown): Uint8Array {
  return new TextEncoder().encode(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
}
