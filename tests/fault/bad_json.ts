import type { Random } from "../reference/random.ts";

/** JSON Schema as `/openapi.json` has it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random.uniform() * values.length)];
}

/** Text that stands for itself in JSON: what `JSON.stringify` cannot write. */
class Literal {
  constructor(readonly text: string) {}
}

export const DEEP = 100_000;
const deep = (open: string, close: string) => open.repeat(DEEP) + "1" + close.repeat(DEEP);

const NUMBERS = ["1e999", "-1e999", "9007199254740993", "-0", "0.1e-400", "1E+308", "18446744073709551616", "-1"];
const STRINGS = [
  "",
  "NaN",
  "\0",
  "a\0b",
  "../../etc/passwd",
  "\u202e\u2066",
  "__proto__",
  "constructor",
  "null",
  "' or 1=1 --",
  "%00",
  "\ufffe\uffff",
  "x".repeat(300),
  "\u{1f600}".repeat(5000),
];

/** A value that is hardly ever what is asked for. */
export function badValue(random: Random): unknown {
  switch (Math.floor(random.uniform() * 9)) {
    case 0:
      return new Literal(pick(random, NUMBERS));
    case 1:
    case 2:
      return pick(random, STRINGS);
    case 3:
      return new Literal(pick(random, ['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', "NaN", "Infinity", "01", "'a'"]));
    case 4:
      return pick(random, [null, true, false, [], {}, [[]], [null], { a: 1 }]);
    case 5:
      return { ["__proto__"]: 1, toString: 2, [pick(random, STRINGS)]: 3 };
    case 6:
      return Array.from({ length: Math.floor(random.uniform() * 2000) }, (_, i) => i);
    case 7:
      return new Literal(random.uniform() < 0.02 ? pick(random, [deep("[", "]"), deep('{"a":', "}")]) : "1e400");
    default:
      return random.normal(0, 1e12);
  }
}

/** A body of the schema with one to three things wrong in it. @param fixed fields that keep it from being accepted */
export function badBody(random: Random, schema: Schema, components: Record<string, Schema>): string {
  const body = sample(random, schema, components);
  if (typeof body !== "object" || body === null || random.uniform() < 0.1) return write(badValue(random));
  for (let faults = Math.ceil(random.uniform() * 3); faults > 0; faults--) {
    spoil(random, body as Record<string, unknown>);
  }
  return write(body);
}

function spoil(random: Random, body: Record<string, unknown>): void {
  const names = Object.keys(body);
  const name = pick(random, names);
  const inner = body[name];
  if (typeof inner === "object" && inner !== null && !(inner instanceof Literal) && random.uniform() < 0.6) {
    return spoil(random, inner as Record<string, unknown>);
  }
  const fault = names.length === 0 ? "add" : pick(random, ["add", "remove", "replace", "replace", "replace"] as const);
  if (fault === "remove") return void delete body[name];
  const key = fault === "add" ? pick(random, ["extra", "__proto__", "", "\0"]) : name;
  // An assignment to __proto__ would be none.
  Object.defineProperty(body, key, { value: badValue(random), enumerable: true, configurable: true, writable: true });
}

function sample(random: Random, schema: Schema, components: Record<string, Schema>): unknown {
  if (schema.$ref) return sample(random, components[schema.$ref.split("/").at(-1)!], components);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return sample(random, pick(random, choices), components);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => sample(random, part, components)));
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return pick(random, schema.enum);
  switch (Array.isArray(schema.type) ? pick(random, schema.type) : schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).filter(() => random.uniform() < 0.7)
          .map(([name, property]) => [name, sample(random, property, components)]),
      );
    case "array":
      return [sample(random, schema.items ?? {}, components)];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return "some-text";
  }
}

function write(value: unknown): string {
  if (value instanceof Literal) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  return `{${Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${write(inner)}`).join(",")}}`;
}
