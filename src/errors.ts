import type { Refusal } from "./train/config.ts";

/**
 * What a client is told when something cannot be done: named errors with facts and a next step, mapped to RFC 9457
 * `application/problem+json` in one place (`src/app.ts`). Anything else that is thrown becomes a bare 500.
 */
export class ProblemError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    /** Shown to the client: no path of this machine, no secret. */
    readonly detail: string,
    readonly extra: { errors?: Refusal[]; headers?: Record<string, string>; facts?: Record<string, number> } = {},
  ) {
    super(detail);
    this.name = new.target.name;
  }
}

/** RFC 9457; `facts` are members of their own. */
export function problemOf({ status, title, detail, extra }: ProblemError, requestId: string): Record<string, unknown> {
  const { errors, facts } = extra;
  return { type: "about:blank", title, status, detail, request_id: requestId, ...(errors && { errors }), ...facts };
}

/** 400: the request itself is malformed. */
export class BadRequestError extends ProblemError {
  constructor(detail: string, errors?: Refusal[]) {
    super(400, "Bad request", detail, { errors });
  }
}

/** 401 */
export class UnauthorizedError extends ProblemError {
  constructor(detail: string, headers?: Record<string, string>) {
    super(401, "Unauthorized", detail, { headers: { "www-authenticate": "Bearer", ...headers } });
  }
}

/** 403 */
export class ForbiddenError extends ProblemError {
  constructor(detail: string) {
    super(403, "Forbidden", detail);
  }
}

/** 404 */
export class NotFoundError extends ProblemError {
  constructor(noun: string, id: string) {
    super(404, "Not found", `there is no ${noun} "${id}"`);
  }
}

/** 408: the rest of the body did not come. */
export class RequestTimeoutError extends ProblemError {
  constructor() {
    super(408, "Request timeout", "nothing more of the body came: send it again, on a connection that holds");
  }
}

/** 409: right request, wrong state. */
export class ConflictError extends ProblemError {
  constructor(detail: string) {
    super(409, "Conflict", detail);
  }
}

/** 413 */
export class PayloadTooLargeError extends ProblemError {
  constructor(maxBytes: number) {
    super(413, "Content too large", `the body may have at most ${maxBytes} bytes`);
  }
}

/** 415 */
export class UnsupportedMediaTypeError extends ProblemError {
  constructor(received: string | undefined, accepted: string) {
    super(
      415,
      "Unsupported media type",
      `${received ? `"${received}"` : "a missing content-type"} is not accepted; send ${accepted}`,
      {
        headers: { "accept-post": accepted },
      },
    );
  }
}

/** 415: RFC 7694 says by Accept-Encoding what would be taken. */
export class UnsupportedEncodingError extends ProblemError {
  constructor(received: string) {
    super(415, "Unsupported media type", `a body with Content-Encoding "${received}" is not taken: send it as it is`, {
      headers: { "accept-encoding": "identity" },
    });
  }
}

/** 416 */
export class RangeNotSatisfiableError extends ProblemError {
  constructor(bytes: number) {
    super(416, "Range not satisfiable", `the file has ${bytes} bytes, and none of them is in the range`, {
      headers: { "content-range": `bytes */${bytes}`, "accept-ranges": "bytes" },
    });
  }
}

/** 422: well-formed, and impossible. `facts` (what was needed, what there is) become members of the problem. */
export class UnprocessableError extends ProblemError {
  constructor(detail: string, errors?: Refusal[], facts?: Record<string, number>) {
    super(422, "Unprocessable content", detail, { errors, facts });
  }
}

/** 429 */
export class QueueFullError extends ProblemError {
  constructor(length: number) {
    super(429, "Queue full", `${length} runs wait already: cancel some, or try again later`, {
      headers: { "retry-after": "60" },
    });
  }
}

/** 503: the disk is full, or the database locked. */
export class StorageUnavailableError extends ProblemError {
  constructor(cause: string) {
    super(503, "Storage unavailable", `nothing can be written now: ${cause}`, { headers: { "retry-after": "5" } });
  }
}

/** 429 */
export class TooManyRequestsError extends ProblemError {
  constructor(detail: string, retryAfterSeconds: number) {
    super(429, "Too many requests", detail, { headers: { "retry-after": String(retryAfterSeconds) } });
  }
}

/** 503: no adapter, so nothing can be trained. */
export class NoDeviceError extends ProblemError {
  constructor(reason: string) {
    super(503, "No GPU", `no run can be started: ${reason}`);
  }
}

/** An internal error's message, fit for a client: file URLs and absolute paths are taken out. */
export function withoutPaths(message: string): string {
  return message.replaceAll(/file:\/\/[^\s"')]+|(?<![\w:/.])(?:\/[\w.@+-]+){2,}/g, "…");
}
