import { type Pieces, PulledBody } from "#src/pulled_body.ts";

/** Server-sent events, pulled by the client: nothing is made before the socket takes it. */
export function eventStream(pieces: Pieces): Response {
  return new Response(new PulledBody(pieces), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  });
}
