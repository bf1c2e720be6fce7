import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { generateCookie } from "hono/cookie";
import { arrivedOverHttps } from "./security_headers.ts";

export const SESSION_COOKIE = "reverie_session";
export const SESSION_DAYS = 30;

/**
 * `<end>.<proof>`: when the session of a browser that signed in with `token` ends, in seconds since 1970, and an HMAC of
 * that under the token. Nothing is kept here: a token that is taken out of REVERIE_TOKEN ends its sessions.
 */
export function openSession(token: string, now: number): string {
  const end = String(Math.floor(now / 1000) + SESSION_DAYS * 86_400);
  return `${end}.${proofOf(token, end)}`;
}

/** When a session that one of the tokens opened ends, in ms since 1970; null for what none of them opened. */
export function endOfSession(tokens: string[], session: string): number | null {
  const [, end, proof] = /^(\d{1,12})\.([\w-]{43})$/.exec(session) ?? [];
  if (end === undefined || proof === undefined) return null;
  return tokens.filter((token) => isSame(proofOf(token, end), proof)).length > 0 ? Number(end) * 1000 : null;
}

/** The Set-Cookie header that keeps `session` in the browser; an empty one ends it there. */
export function sessionCookie(c: Context, session: string): string {
  return generateCookie(SESSION_COOKIE, session, {
    httpOnly: true,
    sameSite: "Strict",
    path: "/",
    secure: arrivedOverHttps(c),
    maxAge: session === "" ? 0 : SESSION_DAYS * 86_400,
  });
}

/** The token that `given` is. */
export function findToken(tokens: string[], given: string): string | undefined {
  return tokens.filter((token) => isSame(token, given))[0];
}

function proofOf(token: string, end: string): string {
  return createHmac("sha256", token).update(`reverie session 2 until ${end}`).digest("base64url");
}

/** Compared without telling by the time taken how much was right, nor how long the secret is. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
