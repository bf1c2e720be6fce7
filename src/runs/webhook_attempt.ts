import type { IncomingMessage } from "node:http";
import { Webhook } from "standardwebhooks";
import type { Clock } from "./clock.ts";
import { codeOf, type Outbound } from "./outbound.ts";
import { OutboundUrlError } from "./outbound_url.ts";
import { parseRetryAfter } from "./webhook_retries.ts";

/** Of a whole attempt: from the look-up of the name to the end of the answer. */
export const ATTEMPT_TIMEOUT_MS = 15_000;
/** Of the answer, which says nothing that is used: it is read so that a receiver which writes one is not cut off. */
const MAX_ANSWER_BYTES = 16_384;

export interface Message {
  id: string;
  body: string;
  url: string;
  /** One, or several for as long as a rotation lasts. */
  secrets: string[];
}

export interface AttemptResult {
  responseStatus: number | null;
  /** Null for a 2xx. Shown to clients: it says nothing of this machine or its network. */
  error: string | null;
  /** What a 429 or a 503 asked for. */
  retryAfterMs: number | null;
}

class AttemptTimeoutError extends Error {
  override name = "AttemptTimeoutError";
}

/**
 * Sends a message once, signed as https://www.standardwebhooks.com says: the id stays the message's, the time is now.
 * @throws only the reason of `signal`, when that aborts
 */
export async function attempt(
  message: Message,
  { outbound, clock, signal }: { outbound: Pick<Outbound, "request">; clock: Clock; signal: AbortSignal },
): Promise<AttemptResult> {
  const timeout = new AbortController();
  const cancel = clock.after(ATTEMPT_TIMEOUT_MS, () => timeout.abort(new AttemptTimeoutError()));
  try {
    const response = await outbound.request(message.url, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "Reverie", ...sign(message, clock.now()) },
      body: message.body,
      signal: AbortSignal.any([signal, timeout.signal]),
    });
    await drain(response);
    return resultOf(response, clock.now());
  } catch (error) {
    signal.throwIfAborted();
    return { responseStatus: null, error: explain(error), retryAfterMs: null };
  } finally {
    cancel();
  }
}

/** A signature by each secret, separated by spaces: the receiver looks for one that it can check. */
function sign({ id, body, secrets }: Message, nowMs: number): Record<string, string> {
  const at = new Date(nowMs);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(nowMs / 1000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
  };
}

/** Reads an answer's body to its end, or until there was enough of it. */
async function drain(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) break; // destroys the connection
    }
  } catch {
    // Broken off, or too slow: the status line is the answer, and that came whole.
  }
}

function resultOf({ statusCode = 0, headers }: IncomingMessage, nowMs: number): AttemptResult {
  const isSuccess = statusCode >= 200 && statusCode < 300;
  const isRedirect = statusCode >= 300 && statusCode < 400;
  return {
    responseStatus: statusCode,
    error: isSuccess
      ? null
      : isRedirect
      ? `the endpoint answered ${statusCode}; redirects are not followed: give the webhook the URL it leads to`
      : `the endpoint answered ${statusCode}`,
    retryAfterMs: statusCode === 429 || statusCode === 503 ? parseRetryAfter(headers["retry-after"], nowMs) : null,
  };
}

/** In words of our own: the system's name addresses and files. */
const EXPLANATIONS: Record<string, string> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was reset",
  ETIMEDOUT: "the host did not answer",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the host cannot be reached",
  ENOTFOUND: "the host name has no address",
  EAI_AGAIN: "the host name could not be looked up",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is not for this host name",
  CERT_HAS_EXPIRED: "the certificate has expired",
};

function explain(error: unknown): string {
  if (error instanceof AttemptTimeoutError) return `no answer within ${ATTEMPT_TIMEOUT_MS / 1000} s`;
  if (error instanceof OutboundUrlError) return `the URL was not called: ${error.message}`;
  const code = codeOf(error);
  if (code === undefined) return "the request failed";
  return EXPLANATIONS[code] ?? `the request failed (${code})`;
}
