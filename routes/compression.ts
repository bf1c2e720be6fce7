import { Buffer } from "node:buffer";
import type { MiddlewareHandler } from "hono";
import { compress, COMPRESSIBLE_CONTENT_TYPE_REGEX } from "hono/compress";
import type { AppEnv } from "./common.ts";

/** Below that gzip saves less than its own header and a packet's worth of waiting. */
const MIN_BYTES = 1024;

/** Text and JSON of every kind. An event stream is none of them: it would wait in the compressor. */
function isCompressible(type: string): boolean {
  return COMPRESSIBLE_CONTENT_TYPE_REGEX.test(type) || type.startsWith("application/x-ndjson");
}

/** Compresses answers for clients that accept it; those marked `no-transform` (files with ranges and hashes) stay as they are. */
export const compressAnswers: MiddlewareHandler<AppEnv> = compress({
  threshold: MIN_BYTES,
  contentTypeFilter: isCompressible,
});

/**
 * Tells `compressAnswers`, which knows an answer's length by its header alone, that a short one is short: answers of
 * JSON are written without. It reads no further than the threshold, so that a long answer still streams.
 */
export const declareShortLength: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { body, headers, status } = c.res;
  if (body === null || headers.has("content-length") || c.req.header("accept-encoding") === undefined) return;
  if (c.req.method === "HEAD" || !isCompressible(headers.get("content-type") ?? "")) return;
  const reader = body.getReader();
  const head: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  while (bytes < MIN_BYTES) {
    const { done, value } = await reader.read();
    if (done) {
      c.res = new Response(Buffer.concat(head), { status, headers });
      c.res.headers.set("content-length", String(bytes));
      return;
    }
    head.push(value);
    bytes += value.length;
  }
  c.res = new Response(joined(head, reader), { status, headers });
};

/** HEAD is answered by what answers GET. Whatever feeds the body that is then not sent has to learn that. */
export const leaveUnsentBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  if (c.req.method === "HEAD") await c.res.body?.cancel();
};

/** A body of which a part was read already: that part, then the rest. */
function joined(head: Uint8Array<ArrayBuffer>[], reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>) {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const value = head.shift() ?? (await reader.read()).value;
      if (value === undefined) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
