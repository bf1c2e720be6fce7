import { open } from "node:fs/promises";
import { NotFoundError, RangeNotSatisfiableError } from "#src/errors.ts";
import { matchesEtag } from "./etag.ts";

/** An immutable file: its hash names its content, so it is a strong ETag. */
export interface ServedFile {
  /** The file's path, or its bytes. */
  source: string | Uint8Array<ArrayBuffer>;
  name: string;
  bytes: number;
  sha256: string;
}

const CHUNK_BYTES = 256 * 1024;

/** Answers GET and HEAD with conditions and one range (RFC 9110), streaming from disk. */
export function serveFile(request: Request, file: ServedFile): Promise<Response> | Response {
  const etag = `"${file.sha256}"`;
  const headers = new Headers({
    "etag": etag,
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache, no-transform", // compressed, its ranges and its hash would be another file's
    "content-type": file.name.endsWith(".json")
      ? "application/json"
      : file.name.endsWith(".md")
      ? "text/markdown; charset=utf-8"
      : "application/octet-stream",
    "content-disposition": `attachment; filename="${file.name.replaceAll(/["\\\r\n]/g, "_")}"`,
  });
  if (matchesEtag(request.headers.get("if-none-match"), etag)) return new Response(null, { status: 304, headers });

  const ifRange = request.headers.get("if-range");
  const asked = ifRange === null || ifRange === etag ? request.headers.get("range") : null;
  const range = asked === null || request.method !== "GET" ? null : parseRange(asked, file.bytes);
  if (range === "unsatisfiable") throw new RangeNotSatisfiableError(file.bytes);
  const { from, to } = range ?? { from: 0, to: file.bytes - 1 };
  headers.set("content-length", String(to - from + 1));
  if (range) headers.set("content-range", `bytes ${from}-${to}/${file.bytes}`);
  if (request.method === "HEAD") return new Response(null, { headers });
  const status = range ? 206 : 200;
  const { source } = file;
  if (typeof source !== "string") return new Response(source.slice(from, to + 1), { status, headers });
  return stream(source, file.name, from, to).then((body) => new Response(body, { status, headers }));
}

/** `to` is included. A header that is no single byte range is ignored, as the RFC says. */
export function parseRange(header: string, size: number): { from: number; to: number } | "unsatisfiable" | null {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header.trim());
  if (!match || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const suffix = Math.min(Number(match[2]), size);
    return suffix === 0 ? "unsatisfiable" : { from: size - suffix, to: size - 1 };
  }
  const from = Number(match[1]);
  const to = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < from) return null;
  return from >= size ? "unsatisfiable" : { from, to };
}

/** @throws {NotFoundError} where the file was taken away behind our back */
async function stream(path: string, name: string, from: number, to: number): Promise<ReadableStream<Uint8Array>> {
  const file = await open(path, "r").catch((error) => {
    throw error.code === "ENOENT" ? new NotFoundError("file", name) : error;
  });
  let position = from;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const wanted = Math.min(CHUNK_BYTES, to + 1 - position);
      const { bytesRead, buffer } = await file.read(new Uint8Array(wanted), 0, wanted, position);
      position += bytesRead;
      if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead));
      if (bytesRead === 0 || position > to) {
        await file.close();
        controller.close();
      }
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}
