import { connect, type Socket } from "node:net";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

const TIMEOUT_MS = 8000;

/** A connection whose bytes are ours, and what comes back on it, answer after answer. */
export class RawConnection {
  /** `reset` tells a close that may have cost the client an answer. */
  end: "open" | "closed" | "reset" = "open";
  readonly socket: Socket;
  readonly openedAt = performance.now();
  closedAt = NaN;
  #received = Buffer.alloc(0);
  #notify = () => {};

  /** `isDeaf`: the server's end of its side is no reason to stop sending. */
  constructor(url: string, { isDeaf = false } = {}) {
    const { hostname: host, port } = new URL(url);
    this.socket = connect({ host, port: Number(port), allowHalfOpen: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#notify();
    });
    const close = (end: "closed" | "reset") => {
      if (this.end !== "open") return;
      this.end = end;
      this.closedAt = performance.now();
      this.socket.destroy();
      this.#notify();
    };
    if (!isDeaf) this.socket.on("end", () => close("closed"));
    this.socket.on("error", () => close("reset"));
    this.socket.on("close", () => close("closed"));
  }

  /** Sends bytes, at the pace at which the other end takes them, or as far as it does. */
  send(...parts: (string | Uint8Array)[]): this {
    for (const part of parts) if (this.socket.writable) this.socket.write(part);
    return this;
  }

  /** The next answer; null if the connection ends before it is whole. `method` of the request: HEAD has no body. */
  async answer(method = "GET"): Promise<Answer | null> {
    while (true) {
      const whole = this.#take(method === "HEAD");
      if (whole !== null || this.end !== "open") return whole;
      await this.#change();
    }
  }

  async ended(): Promise<"closed" | "reset"> {
    while (this.end === "open") await this.#change();
    return this.end;
  }

  /** From the connection's start to its end. */
  get lifeMs(): number {
    return this.closedAt - this.openedAt;
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing came for ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
      this.#notify = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(isHead: boolean): Answer | null {
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return null;
    const [first, ...lines] = this.#received.subarray(0, headEnd).toString("latin1").split("\r\n");
    const headers = Object.fromEntries(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const status = Number(first.split(" ")[1]);
    const rest = this.#received.subarray(headEnd + 4);
    const isBare = isHead || status === 204 || status === 304 || status < 200;
    const framed = isBare ? { body: Buffer.alloc(0), length: 0 } : frame(rest, headers);
    if (framed === null) return null;
    this.#received = rest.subarray(framed.length);
    return { status, headers, body: framed.body };
  }
}

function frame(rest: Buffer, headers: Record<string, string>): { body: Buffer; length: number } | null {
  if (headers["transfer-encoding"] === "chunked") return dechunk(rest);
  const length = Number(headers["content-length"] ?? NaN);
  return rest.length >= length ? { body: rest.subarray(0, length), length } : null;
}

function dechunk(rest: Buffer): { body: Buffer; length: number } | null {
  const parts: Buffer[] = [];
  for (let at = 0;;) {
    const line = rest.indexOf("\r\n", at);
    if (line < 0) return null;
    const size = parseInt(rest.subarray(at, line).toString("latin1"), 16);
    at = line + 2 + size + 2;
    if (at > rest.length) return null;
    if (size === 0) return { body: Buffer.concat(parts), length: at };
    parts.push(rest.subarray(at - 2 - size, at - 2));
  }
}

/** A body as it goes over the wire, and the header that announces it. */
export function framed(body: Uint8Array, framing: "length" | "chunked"): { header: string; bytes: Uint8Array } {
  if (framing === "length") return { header: `Content-Length: ${body.length}`, bytes: body };
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += 16_384) {
    const chunk = body.subarray(at, at + 16_384);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return { header: "Transfer-Encoding: chunked", bytes: Buffer.concat([...chunks, Buffer.from("0\r\n\r\n")]) };
}
