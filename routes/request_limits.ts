import type { MiddlewareHandler } from "hono";
import { BadRequestError, ProblemError, UnsupportedEncodingError } from "#src/errors.ts";
import type { AppEnv } from "./common.ts";

export const MAX_URL_CHARACTERS = 8 * 1024;
/** As `node:http` has it, whose parser answers 431 past that by itself; here it holds whatever serves. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** Refuses what no sane client sends, before anything reads it. */
export const limitRequest: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { url, headers } = c.req.raw;
  if (url.length > MAX_URL_CHARACTERS) {
    throw new ProblemError(414, "URI too long", `the URL may have at most ${MAX_URL_CHARACTERS} characters`);
  }
  let headerBytes = 0;
  for (const [name, value] of headers) headerBytes += name.length + value.length + ": \r\n".length;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new ProblemError(
      431,
      "Request header fields too large",
      `all headers together may have at most ${MAX_HEADER_BYTES} bytes`,
    );
  }
  if (!URL.canParse(url)) throw new BadRequestError("the Host header names no host");
  const { pathname, search } = new URL(url);
  if (!isText(pathname + search)) throw new BadRequestError("the URL is not percent-encoded UTF-8 without NUL");
  await next();
};

/** No body is decoded here: a compressed one would be hashed, stored or parsed as the bytes it came as. */
export const refuseEncodedBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  const encoding = c.req.header("content-encoding")?.trim().toLowerCase() ?? "";
  const isBare = encoding === "" || encoding === "identity";
  if (!isBare && !["GET", "HEAD", "OPTIONS"].includes(c.req.method)) throw new UnsupportedEncodingError(encoding);
  await next();
};

function isText(encoded: string): boolean {
  try {
    return !decodeURIComponent(encoded).includes("\0");
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}
