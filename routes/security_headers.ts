import type { Context, MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { AppEnv } from "./common.ts";

/** Of what a page may do, the dashboard needs none. */
const NOT_NEEDED = ["camera", "microphone", "geolocation", "payment", "usb", "serial", "midi"];

/** On every answer; a page's own policy, which lets its scripts and styles in, stays. */
const always = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
  permissionsPolicy: Object.fromEntries(NOT_NEEDED.map((name) => [name, []])),
  strictTransportSecurity: false,
  xFrameOptions: "DENY",
  overwrite: false,
});

export const setSecurityHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  await always(c, next);
  const { headers } = c.res;
  if (arrivedOverHttps(c)) headers.set("strict-transport-security", "max-age=31536000");
  // What the API says is of the moment and for who asked. Files have an ETag, streams and pages a rule of their own.
  if (!headers.has("cache-control") && !headers.has("etag")) headers.set("cache-control", "no-store");
};

/** A proxy in front ends TLS. Nothing is lost where a client claims so itself: the answer is to that client alone. */
export function arrivedOverHttps(c: Context): boolean {
  return c.req.url.startsWith("https:") || c.req.header("x-forwarded-proto") === "https";
}
