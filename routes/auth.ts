import type { MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { isLoopback } from "#src/env.ts";
import { ForbiddenError, UnauthorizedError } from "#src/errors.ts";
import type { AuthAttempts } from "./auth_attempts.ts";
import type { AppEnv } from "./common.ts";
import { endOfSession, findToken, SESSION_COOKIE, sessionCookie } from "./session_cookie.ts";

export interface AuthOptions {
  /** Empty: no authentication. */
  tokens: string[];
  attempts: AuthAttempts;
  /** Other origins whose pages may call. */
  corsOrigins: string[];
  /** Without tokens: hosts besides this machine's own that a request may name. */
  allowedHosts: string[];
}

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

/** Lets in who has a token. Without tokens, who is on this machine and no page of another site: see `guardLoopback`. */
export function authenticate({ tokens, attempts, ...sites }: AuthOptions): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    if (tokens.length === 0) {
      guardLoopback(c.req.raw, sites);
      return await next();
    }
    const header = c.req.header("authorization");
    const session = getCookie(c, SESSION_COOKIE);
    if (header !== undefined) {
      await attempts.attempt(c, header, () => {
        const bearer = /^bearer +(\S+) *$/i.exec(header)?.[1];
        if (bearer !== undefined && findToken(tokens, bearer) !== undefined) return;
        throw new UnauthorizedError("the token is none of the server's");
      });
    } else if (session !== undefined) {
      // A page that keeps asking with a session that is none would use up its user's attempts at the token.
      const forget = { "set-cookie": sessionCookie(c, "") };
      const end = await attempts.attempt(c, session, () => {
        const end = endOfSession(tokens, session);
        if (end === null) throw new UnauthorizedError("the session is none of the server's: sign in again", forget);
        return end;
      });
      if (end < Date.now()) throw new UnauthorizedError("the session is over: sign in again", forget);
      if (!SAFE_METHODS.includes(c.req.method) && pageOf(c.req.raw) !== "ours") {
        throw new ForbiddenError(
          `a session may change something from the server's own pages only; send a bearer token${hostHint(c.req.raw)}`,
        );
      }
    } else {
      // No guess was made, so none is counted.
      throw new UnauthorizedError("send Authorization: Bearer <token>");
    }
    await next();
  };
}

/**
 * Which page sent a request, as the browser says and no script can change. Hono's own `csrf` lets every body pass that
 * is no form's; here the proof is asked for whatever the body is. Browsers send Sec-Fetch-Site over https and to
 * localhost only, and Origin with each unsafe request; a proxy that ends TLS keeps the Host, but not the scheme.
 */
export function pageOf(request: Request): "ours" | "another" | "unknown" {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin" ? "ours" : "another";
  const origin = request.headers.get("origin");
  if (origin === null) return "unknown";
  return isOwn(origin, request) ? "ours" : "another";
}

function isOwn(origin: string, request: Request): boolean {
  return URL.canParse(origin) && new URL(origin).host === new URL(request.url).host;
}

/**
 * Loopback alone does not keep other sites out of a browser on this machine: their pages may post to it, and a name of
 * theirs may resolve to it (DNS rebinding). So the Host must be loopback or one that was let in, and so must an Origin.
 * With a token none of this is needed: the browser keeps it, and the session's cookie, from pages of another name.
 */
function guardLoopback(
  request: Request,
  { corsOrigins, allowedHosts }: Pick<AuthOptions, "corsOrigins" | "allowedHosts">,
) {
  const { hostname } = new URL(request.url);
  if (!isLoopback(hostname) && !allowedHosts.includes(hostname)) {
    throw new ForbiddenError(
      `without REVERIE_TOKEN the server answers to localhost only, and this request's Host is "${hostname}". Behind a ` +
        `proxy, set REVERIE_TOKEN, or REVERIE_ALLOWED_HOSTS=${hostname} if the proxy lets in only whom you trust`,
    );
  }
  const origin = request.headers.get("origin");
  if (origin === null || corsOrigins.includes(origin)) return;
  if (!isOwn(origin, request)) {
    throw new ForbiddenError(`a page of another origin may not call this server${hostHint(request)}`);
  }
}

/** A proxy that puts a Host of its own in the browser's place makes its own pages look like another site's. */
export function hostHint(request: Request): string {
  const origin = request.headers.get("origin");
  const isElsewhere = ["cross-site", "same-site"].includes(request.headers.get("sec-fetch-site") ?? "");
  if (origin === null || isElsewhere || isOwn(origin, request)) return "";
  const { host } = new URL(request.url);
  return `. The page is of "${origin}" and the Host is "${host}": a proxy must pass the Host on as the browser sent it ` +
    "(nginx: proxy_set_header Host $http_host)";
}
