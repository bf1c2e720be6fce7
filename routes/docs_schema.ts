import { html } from "hono/html";

/** Schemas of the OpenAPI document as HTML. */

export type Html = ReturnType<typeof html>;

/** The parts of a JSON schema that the document uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
}

/** A text in which backticks mark code. */
export function prose(text = ""): Html[] {
  return text.split("`").map((part, i) => i % 2 === 1 ? html`<code>${part}</code>` : html`${part}`);
}

/** The fields of an object, and those of the objects in it. */
export function fields({ properties = {}, required = [] }: Schema): Html {
  const rows = Object.entries(properties).map(([name, schema]) => field(name, schema, required.includes(name)));
  return html`<dl class="fields">${rows}</dl>`;
}

export function field(name: string, schema: Schema, isRequired: boolean, description = schema.description): Html {
  const limits = limitsOf(schema);
  const inner = innerOf(schema);
  const initial = schema.default === undefined ? "" : html`
    Default: <code>${JSON.stringify(schema.default)}</code>.
  `;
  return html`
    <div>
      <dt><code>${name}</code> <span class="type">${typeOf(schema)}</span>${isRequired
        ? html`
          <span class="needed">required</span>
        `
        : ""}${limits === "" ? "" : html`
        <span class="limits">${limits}</span>
      `}</dt>
      <dd>${prose(description)}${initial}${inner?.properties ? fields(inner) : ""}</dd>
    </div>
  `;
}

/** The object whose fields a field shows: itself, or its items. */
function innerOf(schema: Schema): Schema | undefined {
  if (schema.properties) return schema;
  if (schema.items) return innerOf(schema.items);
  const values = schema.additionalProperties;
  return typeof values === "object" ? innerOf(values) : undefined;
}

export function typeOf(schema: Schema): Html {
  if (schema.$ref) return schemaLink(schema.$ref);
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return joined(variants.map(typeOf), " or ");
  if (schema.enum) return joined(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`), " | ");
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  const names = [schema.type ?? "any"].flat().map((type) => {
    if (type === "array") return html`array of ${typeOf(schema.items ?? {})}`;
    if (type === "object" && typeof schema.additionalProperties === "object") {
      return html`map of ${typeOf(schema.additionalProperties)}`;
    }
    return html`${type === "string" && schema.format ? schema.format : type}`;
  });
  return joined(names, " or ");
}

export function schemaLink(ref: string): Html {
  const name = ref.split("/").at(-1)!;
  return html`<a href="#schema-${name}">${name}</a>`;
}

function joined(parts: Html[], separator: string): Html {
  return html`${parts.map((part, i) => html`${i > 0 ? separator : ""}${part}`)}`;
}

function limitsOf(schema: Schema): string {
  const { minLength, maxLength, minItems, maxItems } = schema;
  return [
    between(schema.minimum, schema.maximum),
    schema.exclusiveMinimum === undefined ? "" : `above ${number(schema.exclusiveMinimum)}`,
    schema.exclusiveMaximum === undefined ? "" : `below ${number(schema.exclusiveMaximum)}`,
    between(minLength === 0 ? undefined : minLength, maxLength, maxLength === 1 ? " character" : " characters"),
    between(minItems, maxItems, " items"),
  ].filter((part) => part !== "").join(", ");
}

function between(from: number | undefined, to: number | undefined, unit = ""): string {
  // zod gives every integer the largest safe one as its limit.
  if (to !== undefined && to >= Number.MAX_SAFE_INTEGER) to = undefined;
  if (from !== undefined && from <= Number.MIN_SAFE_INTEGER) from = undefined;
  if (from === undefined && to === undefined) return "";
  if (from === undefined) return `at most ${number(to!)}${unit}`;
  return to === undefined ? `at least ${number(from)}${unit}` : `${number(from)} to ${number(to)}${unit}`;
}

function number(value: number): string {
  return Math.abs(value) < 1e-3 || Math.abs(value) >= 1e15
    ? String(value)
    : value.toLocaleString("en", { maximumFractionDigits: 6 });
}
