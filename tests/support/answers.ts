import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

/** Holds what a server answers against its own OpenAPI document: statuses, media types, headers and bodies. */

type Json = Record<string, unknown>;
interface Media {
  schema?: Json;
}
interface Answer {
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, Media>;
}
type Documented = Answer | { $ref: string };
interface Operation {
  responses: Record<string, Documented>;
}
export interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, Json>;
    responses: Record<string, Answer>;
    headers: Record<string, { required?: boolean; schema: Json }>;
  };
}

/** Headers of HTTP itself, and of policies that hold for every answer alike. */
const GENERAL = new RegExp(
  "^(content-type|content-length|content-encoding|transfer-encoding|connection|keep-alive|date|vary|cache-control|" +
    "content-security-policy|cross-origin-.*|origin-agent-cluster|permissions-policy|referrer-policy|" +
    "strict-transport-security|x-accel-buffering|x-content-type-options|x-dns-prefetch-control|x-download-options|" +
    "x-frame-options|x-permitted-cross-domain-policies|x-xss-protection|access-control-.*)$",
);

export class AnswerChecker {
  readonly #document: Document;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, discriminator: true });
  readonly #validators = new Map<Json, ValidateFunction>();
  readonly #paths: { path: string; pattern: RegExp; literals: number }[];

  constructor(document: Document) {
    this.#document = closed(document);
    formats.default(this.#ajv);
    this.#ajv.addSchema({ $id: "doc:", components: { schemas: this.#document.components.schemas } });
    this.#paths = Object.keys(document.paths).map((path) => ({
      path,
      pattern: new RegExp(`^${path.replaceAll(/[.]/g, "\\$&").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
      literals: path.replaceAll(/\{\w+\}/g, "").length,
    })).sort((a, b) => b.literals - a.literals);
  }

  /** @param body null: it is not looked at @returns what the document does not say, or says otherwise */
  faults(method: string, pathname: string, answer: Response, body: string | null): string[] {
    const documented = this.#find(method, pathname, answer.status);
    if (typeof documented === "string") return [documented];
    if (documented === null) return [];
    return [
      ...this.#headerFaults(documented, answer.headers),
      ...this.#bodyFaults(method, documented, answer, body),
    ];
  }

  /** The operation's answer; null for a path that is no part of the API; a string for what is not documented. */
  #find(method: string, pathname: string, status: number): Answer | string | null {
    const path = this.#paths.find(({ pattern }) => pattern.test(pathname))?.path;
    if (path === undefined) return null;
    const operations = this.#document.paths[path];
    const operation = operations[method === "HEAD" ? "get" : method.toLowerCase()];
    // Another method is refused as the document says of those that there are.
    const { responses } = operation ?? Object.values(operations)[0];
    if (method === "OPTIONS") return null;
    const documented = responses[status];
    if (documented === undefined) return `${status} is not documented`;
    return "$ref" in documented
      ? this.#document.components.responses[(documented.$ref as string).split("/").at(-1)!]
      : documented as Answer;
  }

  #headerFaults({ headers = {} }: Answer, given: Headers): string[] {
    const faults: string[] = [];
    const known = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
    for (const name of given.keys()) {
      if (!known.has(name) && !GENERAL.test(name)) faults.push(`the header ${name} is not documented`);
    }
    for (const [name, { $ref }] of Object.entries(headers)) {
      const { required = false, schema } = this.#document.components.headers[$ref.split("/").at(-1)!];
      const value = given.get(name);
      if (value === null) {
        if (required) faults.push(`the header ${name} is missing`);
        continue;
      }
      faults.push(...this.#validate(schema, schema.type === "integer" ? Number(value) : value, `the header ${name}`));
    }
    return faults;
  }

  #bodyFaults(method: string, { content }: Answer, answer: Response, body: string | null): string[] {
    if (method === "HEAD") return [];
    if (content === undefined) return answer.body === null ? [] : ["a body is not documented"];
    const type = answer.headers.get("content-type")?.split(";")[0].trim() ?? "none";
    const media = content[type];
    if (media === undefined) return [`the media type ${type} is not documented`];
    if (body === null || answer.status === 206) return []; // a piece of a document is none
    if (/[/+]json$/.test(type)) return this.#validate(media.schema, JSON.parse(body), "the body");
    if (type === "text/event-stream") return this.eventFaults(body);
    return [];
  }

  /** Faults in the messages of a stream of events. */
  eventFaults(text: string): string[] {
    const { RunEvent, Problem, StepsTaken } = this.#document.components.schemas;
    return text.split("\n\n").flatMap((block) => {
      const type = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data === undefined) return [];
      const schema = type === "steps" ? StepsTaken : type === "error" ? Problem : RunEvent;
      return this.#validate(schema, JSON.parse(data), `the message ${type}`);
    });
  }

  #validate(schema: Json | undefined, value: unknown, what: string): string[] {
    if (schema === undefined) return [];
    let validate = this.#validators.get(schema);
    if (!validate) this.#validators.set(schema, validate = this.#ajv.compile(pointed(schema)));
    if (validate(value)) return [];
    return validate.errors!.slice(0, 10).map(({ instancePath, message, params }) =>
      `${what}${instancePath} ${message} ${JSON.stringify(params)}`
    );
  }
}

/** The document with every object of an answer closed: a field that no schema names is a fault, too. */
function closed(document: Document): Document {
  const copy = structuredClone(document);
  const close = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    for (const value of Object.values(part)) close(value);
    // ajv finds the variant by the property's value, and refuses a mapping.
    if ("discriminator" in part) delete (part.discriminator as Json).mapping;
    if ("properties" in part && !("additionalProperties" in part)) Object.assign(part, { additionalProperties: false });
  };
  close(copy.components.schemas);
  for (const operations of Object.values(copy.paths)) {
    for (const operation of Object.values(operations)) close(operation.responses);
  }
  return copy;
}

/** A schema whose references lead into the document that ajv knows. */
function pointed(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"doc:#/'));
}
