import { MAX_HEADER_BYTES, MAX_URL_CHARACTERS } from "./request_limits.ts";

/**
 * The refusals of the whole surface, for the OpenAPI document: each is a component that operations refer to, so that
 * what a status means is said once. `src/app.ts` and `src/errors.ts` throw them.
 */

interface Refusal {
  /** Under `components.responses`. */
  component: string;
  description: string;
  /** Names under `HEADERS`; X-Request-Id is on every answer. */
  headers?: string[];
}

export const REFUSALS: Record<number, Refusal> = {
  400: {
    component: "BadRequest",
    description: "The request is malformed: its JSON, a parameter or a header. `errors` names the fields.",
  },
  401: {
    component: "Unauthorized",
    description: "The token, session or signature is missing or wrong.",
    headers: ["WWW-Authenticate", "Set-Cookie"],
  },
  403: {
    component: "Forbidden",
    description: "A page of another origin, or a name that is not this machine's, may not do this.",
  },
  404: { component: "NotFound", description: "There is nothing with this id or name." },
  405: {
    component: "MethodNotAllowed",
    description: "The path exists, but not with this method; `Allow` lists the methods it has.",
    headers: ["Allow"],
  },
  408: { component: "RequestTimeout", description: "The body came too slowly." },
  409: { component: "Conflict", description: "The request is right, but not in the present state." },
  413: {
    component: "ContentTooLarge",
    description: "The body is larger than this route takes; the detail says how large.",
  },
  414: { component: "UriTooLong", description: `The URL has more than ${MAX_URL_CHARACTERS} characters.` },
  415: {
    component: "UnsupportedMediaType",
    description:
      "The body has a media type or encoding that this route does not take; `Accept-Post` lists those it does.",
    headers: ["Accept-Post", "Accept-Encoding"],
  },
  416: {
    component: "RangeNotSatisfiable",
    description: "The file has no byte in the range that was asked for.",
    headers: ["Content-Range", "Accept-Ranges"],
  },
  422: {
    component: "UnprocessableContent",
    description:
      "The request is well-formed, but impossible. A run that does not fit the device carries `bytes_needed` " +
      "and `bytes_available`.",
  },
  429: {
    component: "TooManyRequests",
    description: "Too many failed attempts or too many queued runs; `Retry-After` says how long to wait.",
    headers: ["Retry-After"],
  },
  431: {
    component: "HeaderFieldsTooLarge",
    description: `All request headers together have more than ${MAX_HEADER_BYTES} bytes.`,
  },
  500: { component: "InternalError", description: "The server failed; its log says more under the request id." },
  503: {
    component: "Unavailable",
    description:
      "There is no GPU, or the data folder cannot be written now: the disk is full or the database is locked. A " +
      "hook also answers it while it reads as many large bodies as it may.",
    headers: ["Retry-After"],
  },
};

/** Response headers, by name: what they say, and their schema. `required` ones are on every answer that lists them. */
export const HEADERS: Record<string, { description: string; required?: boolean; schema: Record<string, unknown> }> = {
  "X-Request-Id": {
    description: "The request's id, also in the server's log: the one that the request carried, or a new one.",
    required: true,
    schema: { type: "string" },
  },
  "Location": {
    description: "Path of what was made, or of what to ask for its progress.",
    schema: { type: "string", format: "uri-reference" },
  },
  "Idempotent-Replayed": {
    description: "`true` if this is the stored answer to an earlier request with the same Idempotency-Key.",
    schema: { type: "string", const: "true" },
  },
  "Retry-After": { description: "Seconds to wait before trying again.", schema: { type: "integer", minimum: 0 } },
  "WWW-Authenticate": {
    description: "How to authenticate: `Bearer`. Signatures have none.",
    schema: { type: "string" },
  },
  "Allow": {
    description: "Methods that the path has, with commas between.",
    required: true,
    schema: { type: "string" },
  },
  "Accept-Post": { description: "Media types that the route takes.", schema: { type: "string" } },
  "Accept-Encoding": { description: "Encodings of a body that the route takes.", schema: { type: "string" } },
  "Content-Range": {
    description: "Which bytes of how many: `bytes 0-7/1024`; `bytes */1024` if there are none in the range.",
    required: true,
    schema: { type: "string" },
  },
  "Accept-Ranges": {
    description: "`bytes`: ranges may be asked for.",
    required: true,
    schema: { type: "string", const: "bytes" },
  },
  "ETag": {
    description: "The file's SHA-256 in quotation marks, for If-None-Match and If-Range.",
    required: true,
    schema: { type: "string" },
  },
  "Content-Disposition": {
    description: "The file's name, for browsers that save it.",
    required: true,
    schema: { type: "string" },
  },
  "Content-Length": { description: "Bytes of the body.", schema: { type: "integer", minimum: 0 } },
  "Set-Cookie": {
    description: "The session, or its end: HttpOnly, SameSite=Strict.",
    schema: { type: "string" },
  },
};

/** References to `HEADERS`, as a response lists them. */
export const headerRefs = (names: (keyof typeof HEADERS)[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
