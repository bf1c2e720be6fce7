import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { getCookie } from "hono/cookie";
import type { MiddlewareHandler } from "hono";
import { ForbiddenError, UnauthorizedError } from "#src/errors.ts";
import { isLoopback } from "#src/env.ts";
import type { AppEnv } from "./common.ts";

export const SESSION_COOKIE = "reverie_session";

/** What the cookie of a browser that signed in with `token` holds: proof of the token, not the token. */
export function sessionOf(token: string): string {
  return createHmac("sha256", token).update("reverie session 1").digest("base64url");
}

/** The token that `given` is, compared without telling by the time taken how much of it was right. */
export function findToken(tokens: string[], given: string): string | undefined {
  return tokens.filter((token) => isSame(token, given))[0];
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Lets in who has a token. Without tokens, who is on this machine and no page of another site: see `guardLoopback`. */
export function authenticate(tokens: string[]): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    if (tokens.length === 0) {
      guardLoopback(c.req.raw);
      return await next();
    }
    const header = c.req.header("authorization");
    const bearer = /^bearer +(\S+) *$/i.exec(header ?? "")?.[1];
    const cookie = getCookie(c, SESSION_COOKIE);
    if (bearer !== undefined && findToken(tokens, bearer) !== undefined) return await next();
    if (header === undefined && cookie !== undefined && tokens.some((token) => isSame(sessionOf(token), cookie))) {
      return await next();
    }
    throw new UnauthorizedError(
      header === undefined ? "send Authorization: Bearer <token>" : "the token is none of the server's",
    );
  };
}

/**
 * Loopback alone does not keep other sites out of a browser on this machine: their pages may post to it, and a name of
 * theirs may resolve to it (DNS rebinding). So the Host must be loopback, and an Origin must be our own.
 */
function guardLoopback(request: Request): void {
  const { host, hostname } = new URL(request.url);
  if (!isLoopback(hostname)) {
    throw new ForbiddenError(`without REVERIE_TOKEN the server answers to localhost only, not to "${hostname}"`);
  }
  const origin = request.headers.get("origin");
  if (origin !== null && (!URL.canParse(origin) || new URL(origin).host !== host)) {
    throw new ForbiddenError("a page of another origin may not call this server");
  }
}
