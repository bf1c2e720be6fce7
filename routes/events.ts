import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { EVENT_TYPES } from "#src/db/schema.ts";
import { BadRequestError } from "#src/errors.ts";
import { type EventFilter, PAGE_BYTES } from "#src/runs/event_log.ts";
import { isFinished } from "#src/runs/states.ts";
import { type AppEnv, IdParam, json, listOf, NumericCursor, pageQuery, problems } from "./common.ts";
import { EVENT_STREAM, RunEvent } from "./event_schema.ts";
import { eventStream } from "./event_stream.ts";
import { negotiate } from "./negotiate.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const EventType = z.enum(EVENT_TYPES);

const { limit } = pageQuery(NumericCursor).shape;

/** `limit` and `order` have their defaults in the list: a stream refuses both, and must see whether they were given. */
const EventQuery = z.object({
  after: NumericCursor.optional().openapi({ description: "A sequence: what came after it (before it, for desc)." }),
  type: z.union([EventType, z.array(EventType)]).optional().openapi({
    description: "Events of this type only; may be repeated.",
  }),
  format: z.enum(["sse", "json"]).optional().openapi({
    description: "A stream or a list, whatever `Accept` says: for clients that cannot set it.",
  }),
  limit: limit.unwrap().optional().openapi({ description: "Of a list; 20 by default." }),
  order: z.enum(["asc", "desc"]).optional().openapi({ description: "Of a list; asc by default, as a stream is." }),
});
type EventQuery = z.output<typeof EventQuery>;

const EventHeaders = z.object({
  "last-event-id": z.union([z.literal("").transform(() => undefined), NumericCursor]).optional().openapi({
    type: "string",
    description: "As `after`, from a reconnecting EventSource.",
  }),
});
type EventHeaders = z.output<typeof EventHeaders>;

const answers = {
  200: {
    ...json(
      listOf(RunEvent),
      "A stream whose `data` is a RunEvent each, or with `Accept: application/json` or `format=json` a list. A page of " +
        `the list ends early where it would pass ${PAGE_BYTES / 2 ** 20} MiB. ` +
        "A stream that begins with the comment `reset` begins from the " +
        "log's start, since the log ends before the sequence that was asked for: its database was restored.",
    ),
    content: {
      "text/event-stream": EVENT_STREAM,
      "application/json": { schema: listOf(RunEvent) },
    },
  },
  204: { description: "The run is finished and the client has seen every event: an EventSource stops here" },
  ...problems(400, 401, 404),
};

const ofRun = createRoute({
  method: "get",
  path: "/runs/{id}/events",
  operationId: "getRunEvents",
  summary: "A run's events; the stream of a finished run replays and ends",
  request: { params: IdParam, query: EventQuery, headers: EventHeaders },
  responses: answers,
});

const { 204: _, ...answersOfAll } = answers;

const ofAll = createRoute({
  method: "get",
  path: "/events",
  operationId: "getEvents",
  summary: "The events of all runs",
  request: { query: EventQuery, headers: EventHeaders },
  responses: answersOfAll,
});

/** Mounted at `/api`. */
export function eventRoutes({ events, runs }: Reverie) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(ofRun, (c) => {
    const run = runs.get(c.req.valid("param").id);
    const [query, headers] = [c.req.valid("query"), c.req.valid("header")];
    const filter = { runId: run.id, types: typesOf(query) };
    if (wantsList(c, query)) return c.json(listPage(filter, query), 200);
    const { after, isReset } = startOf(query, headers);
    if (isFinished(run.status) && !events.hasAfter(filter, after)) return c.body(null, 204);
    return eventStream(events.follow(filter, after), { isReset });
  });

  app.openapi(ofAll, (c) => {
    const [query, headers] = [c.req.valid("query"), c.req.valid("header")];
    const filter = { types: typesOf(query) };
    if (wantsList(c, query)) return c.json(listPage(filter, query), 200);
    const { after, isReset } = startOf(query, headers);
    return eventStream(events.follow(filter, after), { isReset });
  });

  function listPage(filter: EventFilter, { after, limit = 20, order = "asc" }: EventQuery) {
    const { data, hasMore } = events.page(filter, { after: after ?? null, limit, order });
    const next_cursor = hasMore ? String(data[data.length - 1].sequence) : null;
    return { object: "list" as const, data, has_more: hasMore, next_cursor };
  }

  /** Gives the sequence at which a stream begins. A reconnecting browser sends both, and the header is the newer one. */
  function startOf(query: EventQuery, headers: EventHeaders): { after: number; isReset: boolean } {
    const after = headers["last-event-id"] ?? query.after ?? 0;
    const isReset = after > events.lastSequence();
    return { after: isReset ? 0 : after, isReset };
  }

  return app;
}

function typesOf({ type }: EventQuery): EventFilter["types"] {
  return type === undefined ? undefined : [...new Set([type].flat())];
}

/** @throws {BadRequestError} if a stream is asked for what only a list can be */
function wantsList(c: Context<AppEnv>, { format, limit, order }: EventQuery): boolean {
  const type = negotiate(c, ["text/event-stream", "application/json"]);
  if (format === "json" || (format === undefined && type === "application/json")) return true;
  const found = [
    ...(limit === undefined ? [] : [{ path: "limit", message: "a stream has no limit" }]),
    ...(order === "desc" ? [{ path: "order", message: "a stream is in ascending order" }] : []),
  ];
  if (found.length === 0) return false;
  throw new BadRequestError("a list can do this, a stream cannot: send format=json for a list; see errors", found);
}
