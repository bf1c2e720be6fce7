import type { z } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { BadRequestError, UnsupportedMediaTypeError } from "#src/errors.ts";
import { decodeUtf8, parseJsonText, whyNotStorable } from "#src/runs/json_text.ts";
import type { AppEnv } from "./common.ts";

/**
 * Refuses JSON that does not hold only what can be stored and sent on as it is: UTF-8, strings without NUL and lone
 * surrogates, finite numbers, and a nesting that recursive code bears.
 * @throws {BadRequestError} without quoting the input, which may hold a secret
 */
function checkJson(bytes: ArrayBuffer): void {
  const fault = whyNotStorable(parseJsonText(decodeUtf8(bytes)));
  if (fault !== null) throw new BadRequestError(`the body ${fault}`);
}

export function isJson(contentType: string | undefined): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? "");
}

/** Before a route's own schema sees the body. */
export const checkJsonBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (isJson(c.req.header("content-type"))) {
    const body = await c.req.arrayBuffer(); // Hono keeps it for the route
    if (body.byteLength > 0) checkJson(body);
  }
  await next();
};

/**
 * The body of a route that may go without one, and then has its schema's defaults: without a body nothing was validated.
 * @throws {UnsupportedMediaTypeError} if there is a body that is not JSON
 */
export function optionalJson<S extends z.ZodType>(c: Context<AppEnv>, schema: S, body: unknown): z.output<S> {
  const type = c.req.header("content-type");
  if (type !== undefined && !isJson(type)) throw new UnsupportedMediaTypeError(type, "application/json");
  return schema.parse(body);
}
