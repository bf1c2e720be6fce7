import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { Answer } from "#src/runs/idempotency.ts";
import { idPattern, type IdPrefix } from "#src/db/ids.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { REFUSALS } from "./refusals.ts";

/** Hono's environment in every route. */
export type AppEnv = {
  /** What the composition root knows of the connection; nothing where a request came over no socket. */
  Bindings: { remoteAddress?: string };
  Variables: RequestIdVariables;
};

export const Problem = z.object({
  type: z.string().describe("`about:blank`: the status says what kind of problem it is."),
  title: z.string().describe("The kind of problem in a few words."),
  status: z.int().min(400).max(599).describe("The HTTP status."),
  detail: z.string().describe("What is wrong in this case, and what to do next."),
  request_id: z.string().describe("The request's id, as in X-Request-Id."),
  errors: z.array(z.object({
    path: z.string().describe("The field, with dots between its parts, such as `optimizer.learning_rate`."),
    message: z.string().describe("What is wrong with it."),
  })).optional().describe("One for each field that is wrong."),
  bytes_needed: z.int().optional().describe("Bytes that a run needs which does not fit the device."),
  bytes_available: z.int().optional().describe("Bytes that the device has, or takes in one buffer."),
}).openapi("Problem", { description: "Why a request was refused (RFC 9457)." });

/** The refusals of a route, for the OpenAPI document, which adds those that any request may meet. */
export function problems<const S extends number>(...statuses: S[]) {
  return Object.fromEntries(
    statuses.map((status) => [status, {
      description: REFUSALS[status].description,
      content: { "application/problem+json": { schema: Problem } },
    }]),
  ) as Record<S, { description: string; content: { "application/problem+json": { schema: typeof Problem } } }>;
}

/** An answer in JSON, for the OpenAPI document. */
export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

export function jsonBody<S extends z.ZodType>(schema: S, example: z.input<S>) {
  return { required: true, content: { "application/json": { schema, example } } };
}

export const IdParam = z.object({ id: z.string().min(1).max(200).describe("The id, as answers and lists give it.") });

/** A page of a list. @param cursor the form of the list's cursors: anything else is a mistake, and would skip rows */
export function pageQuery<S extends z.ZodType>(cursor: S) {
  return z.object({
    limit: z.coerce.number().int().min(1).max(100).default(20).describe("Items in a page, at most."),
    after: cursor.optional().openapi({ description: "`next_cursor` of the page before; without it the first page." }),
  });
}

/** The cursor of a list that is ordered by id: the last id shown. */
export function idCursor(prefix: IdPrefix) {
  const form = new RegExp(`^${idPattern(prefix)}$`);
  return z.string().regex(form, `not a cursor of this list, which are ids: ${prefix}_…`);
}

/** A cursor that counts: a sequence or a step. */
export const NumericCursor = z.string().regex(/^\d{1,15}$/, "not a cursor of this list, which are whole numbers")
  .transform(Number).openapi({ type: "string", pattern: "^\\d{1,15}$" });

export const IdempotencyHeader = z.object({
  "idempotency-key": z.string().min(1).max(255).optional().openapi({
    description: "The same key and body gives the first answer again; the same key and another body is 422.",
  }),
});

export function listOf<S extends z.ZodType>(item: S) {
  return z.object({
    object: z.literal("list").describe("Always `list`."),
    data: z.array(item).describe("The page's items."),
    has_more: z.boolean().describe("Whether there is another page."),
    next_cursor: z.string().nullable().describe("Pass it as `after` for the next page; null on the last."),
  });
}

/** A page out of a query for one row more than `limit`. */
export function page<Row, Item>(rows: Row[], limit: number, show: (row: Row) => Item, cursor: (row: Row) => string) {
  const shown = rows.slice(0, limit);
  const has_more = rows.length > limit;
  return {
    object: "list" as const,
    data: shown.map(show),
    has_more,
    next_cursor: has_more ? cursor(shown[shown.length - 1]) : null,
  };
}

/**
 * Creates something at most once for an `Idempotency-Key`. `create` must be synchronous. An answer that was given before
 * is marked as Stripe marks it, so that a client can tell it from one that it has just brought about.
 * `bodySha256` stands for a body that was streamed to disk; elsewhere the raw bytes are hashed here.
 */
export async function createOnce<T>(
  c: Context<AppEnv>,
  reverie: Reverie,
  create: () => Answer<T>,
  bodySha256?: string,
): Promise<Answer<T> & { replayed: boolean }> {
  const body = bodySha256 ?? createHash("sha256").update(new Uint8Array(await c.req.arrayBuffer())).digest("hex");
  const scope = `${c.req.method} ${c.req.path}`;
  const answer = reverie.idempotency.once({ key: c.req.header("idempotency-key"), scope, bodySha256: body }, create);
  if (answer.replayed) c.header("idempotent-replayed", "true");
  return answer;
}
