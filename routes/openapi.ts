import type { OpenAPIHono } from "@hono/zod-openapi";
import project from "../package.json" with { type: "json" };
import type { AppEnv } from "./common.ts";
import { headerRefs, HEADERS, REFUSALS } from "./refusals.ts";
import { SESSION_COOKIE } from "./session_cookie.ts";

export type ApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;
type PathItem = NonNullable<ApiDocument["paths"]>[string];
export type Operation = NonNullable<PathItem["get"]>;
type Responses = NonNullable<Operation["responses"]>;

export const METHODS = ["get", "post", "put", "patch", "delete"] as const;

const INFO = {
  title: "Reverie",
  version: project.version,
  summary: "Pretrains GPT-style language models on this machine's GPU: text in, base model out.",
  description:
    "JSON in snake_case. Times are ISO 8601 in UTC. Ids are prefixed and sort by creation. Lists are paged " +
    "by cursor: pass `next_cursor` as `after` until `has_more` is false. What is refused is answered with " +
    "`application/problem+json` (RFC 9457). Losses are in nats per token.",
  license: { name: "Apache License 2.0", identifier: project.license },
};

/** The first pattern that a path matches names its tag; the document lists tags in the order of `TAGS`. */
const TAG_OF_PATH: [pattern: RegExp, tag: string][] = [
  [/^\/api\/datasets/, "Datasets"],
  [/\/metrics$|^\/api\/metrics/, "Metrics"],
  [/\/events$/, "Events"],
  [/\/checkpoints/, "Checkpoints"],
  [/^\/api\/(runs|plan)/, "Runs"],
  [/^\/(api\/)?hooks/, "Inbound webhooks"],
  [/^\/api\/webhooks/, "Outbound webhooks"],
  [/^\/api\/session/, "Session"],
  [/^\/(api\/device|healthz|readyz)/, "Server"],
];
const TAGS: Record<string, string> = {
  "Datasets": "Texts to train on: UTF-8, stored once for each content.",
  "Runs": "Training runs: what they would take, their queue, and what becomes of them.",
  "Metrics": "Curves of a run, and the server's own metrics for Prometheus.",
  "Events": "What happens to runs, as a list or as a stream of server-sent events.",
  "Checkpoints": "A run's weights at a step, and their files.",
  "Inbound webhooks": "Signed requests from elsewhere that start runs.",
  "Outbound webhooks": "Events that are posted to other servers.",
  "Session": "A browser's sign-in.",
  "Server": "The device, and whether the server is well.",
};

/** Any request may meet these, whatever it asks for. */
const ANYWHERE = [400, 405, 414, 415, 431, 500, 503];
/** And these, if it must show who sends it. */
const GUARDED = [401, 403, 413, 429];

/** The whole OpenAPI document of `app`: the routes' own metadata, and what holds for all of them added in one pass. */
export function describeApi(app: OpenAPIHono<AppEnv>): ApiDocument {
  const { openAPIRegistry: registry } = app;
  registry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description:
      "One of the tokens in REVERIE_TOKEN. Without any the server answers to this machine alone, and asks nobody.",
  });
  registry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: SESSION_COOKIE,
    description: "What POST /api/session sets, for browsers.",
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: INFO,
    servers: [{ url: "/", description: "The server that gave this document." }],
    security: [{ token: [] }, { session: [] }],
  });
  const used = new Set<string>();
  for (const { path, method, operation } of operationsOf(document)) {
    if (operation.operationId === undefined) throw new Error(`${method} ${path} has no operationId`);
    const tag = TAG_OF_PATH.find(([pattern]) => pattern.test(path))?.[1];
    if (tag === undefined) throw new Error(`${path} belongs to no tag`);
    operation.tags = [tag];
    used.add(tag);
    completeAnswers(operation);
    operation.parameters = operation.parameters?.map(describeFamily);
  }
  document.tags = Object.entries(TAGS).filter(([name]) => used.has(name)).map(([name, description]) => ({
    name,
    description,
  }));
  document.components = { ...document.components, headers: HEADERS, responses: refusalComponents() };
  const bodies = [...operationsOf(document)].map(({ operation }) => operation.requestBody);
  bodies.forEach(sayDefaults);
  for (const name of reachable(document, bodies)) sayDefaults(document.components.schemas?.[name]);
  modernise(document);
  return document;
}

export function* operationsOf(document: ApiDocument) {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation) yield { path, method, operation };
    }
  }
}

/** `tag.*` stands for all parameters that begin so: in OpenAPI's words an object whose members are parameters each. */
function describeFamily(parameter: NonNullable<Operation["parameters"]>[number]) {
  if (!("name" in parameter) || !parameter.name.endsWith(".*")) return parameter;
  const family = parameter.name.slice(0, -2);
  return {
    ...parameter,
    name: `${family}s`,
    style: "form" as const,
    explode: true,
    schema: {
      type: "object" as const,
      patternProperties: { [`^${family}\\.`]: { type: "string" as const } },
      additionalProperties: false,
    },
  };
}

/** Adds what any request may be refused with, and the headers that go with a status. */
function completeAnswers(operation: Operation): void {
  const isOpen = operation.security?.length === 0;
  const responses: Responses = operation.responses ??= {};
  for (const status of [...ANYWHERE, ...(isOpen ? [] : GUARDED)]) responses[status] ??= refusal(status);
  for (const [status, response] of Object.entries(responses)) {
    if (isProblem(response)) responses[status] = refusal(Number(status));
    else if (!("$ref" in response)) {
      response.headers = { ...headerRefs(headersOf(operation, status)), ...response.headers };
    }
  }
}

/** A response that the routes' `problems()` made is the component's. */
function isProblem(response: Responses[string]): boolean {
  return Object.keys(response.content ?? {}).join() === "application/problem+json";
}

function headersOf(operation: Operation, status: string): string[] {
  const names = ["X-Request-Id"];
  if (status === "201" || status === "202") names.push("Location");
  const isKeyed = operation.parameters?.some((parameter) =>
    "name" in parameter && parameter.name === "idempotency-key"
  );
  if (isKeyed && status.startsWith("2")) names.push("Idempotent-Replayed");
  return names;
}

function refusal(status: number) {
  return { $ref: `#/components/responses/${REFUSALS[status].component}` };
}

function refusalComponents() {
  return Object.fromEntries(
    Object.values(REFUSALS).map(({ component, description, headers = [] }) => [component, {
      description,
      headers: headerRefs(["X-Request-Id", ...headers]),
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    }]),
  );
}

/** Names of the schemas that `parts` refer to, and of those that these refer to. */
function reachable(document: ApiDocument, parts: unknown[]): Set<string> {
  const names = new Set<string>();
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    for (const [key, value] of Object.entries(part)) {
      if (key !== "$ref") {
        visit(value);
        continue;
      }
      const name = String(value).replace("#/components/schemas/", "");
      if (names.has(name)) continue;
      names.add(name);
      visit(document.components?.schemas?.[name]);
    }
  };
  parts.forEach(visit);
  return names;
}

/**
 * Says each default of a request's properties in words: openapi-typescript 7 makes a component's property that has the
 * keyword required, and then no request compiles that leaves it out.
 */
function sayDefaults(schema: unknown): void {
  if (typeof schema !== "object" || schema === null) return;
  for (const value of Object.values(schema)) sayDefaults(value);
  if (!("properties" in schema)) return;
  for (
    const property of Object.values(schema.properties as Record<string, { description?: string; default?: unknown }>)
  ) {
    if (!("default" in property)) continue;
    const words = `Default: \`${JSON.stringify(property.default)}\`.`;
    // An object's default is that of its properties.
    if (JSON.stringify(property.default) !== "{}") {
      property.description = [property.description, words].filter(Boolean).join(" ");
    }
    delete property.default;
  }
}

/** JSON Schema 2020 has `examples`; `example` is OpenAPI 3.0's, which validators do not know. */
function modernise(part: unknown): void {
  if (typeof part !== "object" || part === null) return;
  for (const value of Object.values(part)) modernise(value);
  if ("schema" in part) {
    moveExample(part.schema);
    // A parameter's schema repeats the parameter's description.
    if ("in" in part) delete (part.schema as { description?: string }).description;
  }
  if ("properties" in part) Object.values(part.properties as object).forEach(moveExample);
}

function moveExample(schema: unknown): void {
  if (typeof schema !== "object" || schema === null || !("example" in schema)) return;
  Object.assign(schema, { examples: [schema.example] });
  delete schema.example;
}
