import { connect } from "node:net";

/** What a server sent, as far as it can be read as HTTP. */
export interface RawAnswer {
  /** Null: the connection was closed, or is only held open, without an answer. */
  status: number | null;
  headers: Record<string, string>;
  body: string;
  bytes: number;
  elapsedMs: number;
  isTimeout: boolean;
}

/** More of an answer than anything here needs. */
const MOST_BYTES = 2 ** 20;

/**
 * Sends bytes as they are, on a connection of their own, and reads until the answer is whole, the server closes or
 * `timeoutMs` are over. `fetch` would put right what is wrong with them.
 */
export function exchange(
  url: string,
  request: Uint8Array,
  { timeoutMs, endsEarly = false }: { timeoutMs: number; endsEarly?: boolean },
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const start = performance.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isTimeout = false;
    // `endsEarly`: what is announced never comes, and the client says so by closing its side.
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => {
      if (endsEarly) socket.end(request);
      else socket.write(request);
    });
    const timer = setTimeout(() => {
      isTimeout = true;
      socket.destroy();
    }, timeoutMs);
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MOST_BYTES || isWhole(Buffer.concat(chunks))) socket.destroy();
    });
    socket.on("end", () => socket.destroy());
    socket.on("error", () => socket.destroy()); // a reset: what came before it is what there is
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ ...parse(Buffer.concat(chunks)), bytes, isTimeout, elapsedMs: performance.now() - start });
    });
  });
}

function isWhole(received: Buffer): boolean {
  const { status, headers } = parse(received);
  if (status === null) return false;
  if (headers["content-type"]?.startsWith("text/event-stream")) return true; // it goes on as long as one reads
  const body = received.subarray(received.indexOf("\r\n\r\n") + 4);
  if (headers["content-length"] !== undefined) return body.length >= Number(headers["content-length"]);
  return body.toString("latin1").endsWith("0\r\n\r\n") || status === 204 || status === 304;
}

function parse(received: Buffer): Pick<RawAnswer, "status" | "headers" | "body"> {
  const end = received.indexOf("\r\n\r\n");
  const [first, ...lines] = received.subarray(0, Math.max(end, 0)).toString("latin1").split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
  if (end < 0 || status === undefined) return { status: null, headers: {}, body: received.toString("latin1") };
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const body = received.subarray(end + 4);
  return { status: Number(status), headers, body: headers["transfer-encoding"] ? dechunk(body) : body.toString() };
}

function dechunk(body: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0;;) {
    const line = body.indexOf("\r\n", at);
    const size = parseInt(body.subarray(at, line).toString("latin1"), 16);
    if (line < 0 || !(size > 0)) return Buffer.concat(parts).toString();
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
