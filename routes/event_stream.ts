import { type Pieces, PulledBody } from "#src/pulled_body.ts";

const RESET = new TextEncoder().encode(": reset\n\n");

/**
 * Server-sent events, pulled by the client: nothing is made before the socket takes it.
 * @param isReset whether the first thing to say is that the stream does not begin where the client asked
 */
export function eventStream(pieces: Pieces, { isReset = false } = {}): Response {
  return new Response(new PulledBody(isReset ? preceded(RESET, pieces) : pieces), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

function preceded(first: Uint8Array, rest: Pieces): Pieces {
  let isFirst = true;
  return {
    next: () => {
      if (!isFirst) return rest.next();
      isFirst = false;
      return Promise.resolve(first);
    },
    leave: () => rest.leave(),
  };
}
