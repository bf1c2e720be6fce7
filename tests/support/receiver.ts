import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { waitFor } from "./wait_for.ts";

export interface Received {
  path: string;
  headers: Record<string, string>;
  text: string;
  body: { type: string; timestamp: string; data: Record<string, unknown> };
}

export type Answer = (message: Received, response: ServerResponse, nth: number) => void;

const OK: Answer = (_, response) => response.writeHead(204).end();

/** An HTTP server on loopback that keeps what is posted to it. Keep it with `await using`. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** Requests whose connection is open. */
  open = 0;
  answer: Answer;
  readonly #server: Server;

  private constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  static async listen(answer: Answer = OK): Promise<Receiver> {
    const receiver = new Receiver(answer);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/events?from=reverie`;
  }

  /** Waits for `count` messages. */
  async messages(count: number, timeoutMs?: number): Promise<Received[]> {
    await waitFor(`${count} messages`, () => this.received.length >= count, { timeoutMs, everyMs: 2 });
    return this.received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open++;
    response.on("close", () => this.open--);
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = new TextDecoder().decode(Buffer.concat(chunks));
    const headers = request.headers as Record<string, string>;
    const message: Received = { path: request.url ?? "", headers, text, body: JSON.parse(text) };
    this.received.push(message);
    this.answer(message, response, this.received.length);
  }
}

export function statusAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return (_, response) => response.writeHead(status, headers).end();
}

/** @throws where the signature, or the time by this process's clock, is wrong */
export function verify(secret: string, { text, headers }: Received): void {
  new Webhook(secret).verify(text, headers);
}
