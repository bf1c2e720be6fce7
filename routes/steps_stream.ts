import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import { ProblemError, problemOf } from "#src/errors.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import type { CallLimits } from "#src/runs/calls.ts";
import type { AppEnv } from "./common.ts";

/**
 * Drives a run and streams its events meanwhile, ended by one of type `steps` with the answer, or of type `error` with
 * the problem. What is refused at once is thrown, and answered with its status. A client that goes away does not stop
 * the call: it is bounded anyway.
 */
export function streamSteps(c: Context<AppEnv>, { runner, events, log }: Reverie, id: string, limits: CallLimits) {
  const after = events.lastSequence();
  const gone = new AbortController();
  let isOver = false;
  const call = runner.invoke(id, limits).then(
    (taken) => ({ event: "steps", data: JSON.stringify(taken) }),
    (error) => {
      if (!(error instanceof ProblemError)) throw error;
      return { event: "error", data: JSON.stringify(problemOf(error, c.var.requestId)) };
    },
  ).finally(() => {
    isOver = true;
    events.wake();
  });
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => gone.abort());
    for await (const batch of events.follow({ runId: id }, { after, signal: gone.signal, isOver: () => isOver })) {
      for (const event of batch) {
        await stream.writeSSE({ id: String(event.sequence), event: event.type, data: JSON.stringify(event) });
      }
    }
    await stream.writeSSE(await call);
  }, async (error) => {
    await log.error({ err: error, request_id: c.var.requestId }, "a stream of steps failed");
  });
}
