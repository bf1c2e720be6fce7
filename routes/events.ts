import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { EVENT_TYPES } from "#src/db/schema.ts";
import type { EventFilter, EventLog } from "#src/runs/event_log.ts";
import { type AppEnv, IdParam, json, listOf, numericCursor, page, PageQuery, problems } from "./common.ts";
import { eventStream } from "./event_stream.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const EventType = z.enum(EVENT_TYPES);

const Event = z.object({
  type: EventType,
  run_id: z.string(),
  sequence: z.int(),
  timestamp: z.string(),
  data: z.record(z.string(), z.unknown()),
}).openapi("RunEvent");

const EventQuery = PageQuery.extend({
  after: z.string().max(20).optional().openapi({
    description: "A sequence: what came after it (before it, for desc).",
  }),
  type: z.union([EventType, z.array(EventType)]).optional().openapi({ description: "May be repeated." }),
  order: z.enum(["asc", "desc"]).default("asc").openapi({ description: "For the list; a stream is always asc." }),
});

const EventHeaders = z.object({
  "last-event-id": z.string().max(20).optional().openapi({
    description: "As `after`, from a reconnecting EventSource.",
  }),
});

const answers = {
  200: {
    ...json(listOf(Event), "With `Accept: application/json` a list, else a stream whose `data` is a RunEvent each"),
    content: {
      "application/json": { schema: listOf(Event) },
      "text/event-stream": { schema: z.string() },
    },
  },
  ...problems(400, 401, 404),
};

const ofRun = createRoute({
  method: "get",
  path: "/runs/{id}/events",
  summary: "A run's events; the stream of a finished run replays and ends",
  request: { params: IdParam, query: EventQuery, headers: EventHeaders },
  responses: answers,
});

const ofAll = createRoute({
  method: "get",
  path: "/events",
  summary: "The events of all runs",
  request: { query: EventQuery, headers: EventHeaders },
  responses: answers,
});

/** Mounted at `/api`. */
export function eventRoutes({ events, runs }: Reverie) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(ofRun, (c) => {
    const { id } = runs.get(c.req.valid("param").id);
    const { type } = c.req.valid("query");
    const filter = { runId: id, types: type === undefined ? undefined : [type].flat() };
    if (wantsList(c.req.header("accept"))) return c.json(listPage(events, filter, c.req.valid("query")), 200);
    return eventStream(events.follow(filter, cursorOf(c.req.valid("query"), c.req.valid("header"))));
  });

  app.openapi(ofAll, (c) => {
    const { type } = c.req.valid("query");
    const filter = { types: type === undefined ? undefined : [type].flat() };
    if (wantsList(c.req.header("accept"))) return c.json(listPage(events, filter, c.req.valid("query")), 200);
    return eventStream(events.follow(filter, cursorOf(c.req.valid("query"), c.req.valid("header"))));
  });

  return app;
}

function wantsList(accept = ""): boolean {
  return accept.includes("application/json") && !accept.includes("text/event-stream");
}

function listPage(events: EventLog, filter: EventFilter, query: z.output<typeof EventQuery>) {
  const { limit, order, after } = query;
  const rows = events.list(filter, { after: numericCursor(after), limit: limit + 1, order });
  return page(rows, limit, (event) => event, (event) => String(event.sequence));
}

/** A reconnecting browser sends both, and the header is the newer one. */
function cursorOf(query: { after?: string }, headers: { "last-event-id"?: string }): number {
  return numericCursor(headers["last-event-id"] || query.after) ?? 0;
}
