import type { MiddlewareHandler } from "hono";
import { BadRequestError } from "#src/errors.ts";
import type { AppEnv } from "./common.ts";

/** A run's body goes three deep; `JSON.stringify` and a schema's walk overflow the stack at some thousands. */
const MAX_DEPTH = 64;

/**
 * Parses JSON that holds only what can be stored and sent on as it is: UTF-8, strings without NUL and lone surrogates,
 * finite numbers, and a nesting that recursive code bears.
 * @throws {BadRequestError} without quoting the input, which may hold a secret
 */
export function parseJson(bytes: Uint8Array | ArrayBuffer): unknown {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    // A RangeError is JavaScriptCore's: its parser recurses, V8's does not.
    if (error instanceof SyntaxError || error instanceof RangeError) throw new BadRequestError("the body is not JSON");
    if (error instanceof TypeError) throw new BadRequestError("the body is not UTF-8");
    throw error;
  }
  const open: { value: unknown; depth: number }[] = [{ value: document, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    checkScalar(value);
    if (typeof value !== "object" || value === null) continue;
    if (depth > MAX_DEPTH) throw new BadRequestError(`the body nests deeper than ${MAX_DEPTH} levels`);
    for (const [key, member] of Object.entries(value)) {
      checkScalar(key);
      open.push({ value: member, depth: depth + 1 });
    }
  }
  return document;
}

function checkScalar(value: unknown): void {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new BadRequestError("a number in the body is too large for a double");
  }
  if (typeof value === "string" && (value.includes("\0") || !value.isWellFormed())) {
    throw new BadRequestError("a string in the body holds a NUL character or a lone surrogate");
  }
}

export function isJson(contentType: string | undefined): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? "");
}

/** Before a route's own schema sees the body. */
export const checkJsonBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (isJson(c.req.header("content-type"))) {
    const body = await c.req.arrayBuffer(); // Hono keeps it for the route
    if (body.byteLength > 0) parseJson(body);
  }
  await next();
};
