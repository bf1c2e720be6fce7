import { createHash } from "node:crypto";

/**
 * Whether a client has what is served. The comparison is weak: compression makes an ETag weak, and what a client keeps
 * decoded is the same.
 */
export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, "")).some((tag) => tag === "*" || tag === etag);
}

/** Answers with `content`, or with 304 to who has it. */
export function answerOnce(
  request: Request,
  content: Uint8Array<ArrayBuffer> | string,
  headers: Record<string, string>,
): Response {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const etag = `"${createHash("sha256").update(bytes).digest("base64url")}"`;
  const all = { "cache-control": "no-cache", ...headers, etag };
  if (matchesEtag(request.headers.get("if-none-match"), etag)) return new Response(null, { status: 304, headers: all });
  return new Response(bytes, { headers: { ...all, "content-length": String(bytes.length) } });
}
