import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { BadRequestError } from "#src/errors.ts";
import { RunRequest } from "#src/train/config.ts";
import {
  type AppEnv,
  createOnce,
  idCursor,
  IdempotencyHeader,
  IdParam,
  json,
  jsonBody,
  listOf,
  page,
  pageQuery,
  problems,
} from "./common.ts";
import { EVENT_STREAM } from "./event_schema.ts";
import { optionalJson } from "./json_input.ts";
import { negotiate } from "./negotiate.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import type { RunRow } from "#src/runs/run_store.ts";
import { Run, RunStatus, RunSummary, showRun, summarizeRun } from "./run_schema.ts";
import { streamSteps } from "./steps_stream.ts";

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "createRun",
  summary: "Queue a training run",
  request: {
    headers: IdempotencyHeader,
    body: jsonBody(RunRequest.openapi("RunRequest", { description: "A run to be: only the dataset has no default." }), {
      name: "a first model",
      dataset: "sample",
      model: { preset: "nano" },
      max_steps: 2000,
    }),
  },
  responses: { 202: json(Run, "Queued"), ...problems(400, 401, 413, 415, 422, 429, 503) },
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listRuns",
  summary: "Runs, newest first unless `sort` says otherwise",
  request: {
    query: pageQuery(idCursor("run")).extend({
      status: z.union([RunStatus, z.array(RunStatus)]).optional().openapi({
        description: "Runs of this status only; may be repeated.",
      }),
      "tag.*": z.string().optional().openapi({
        description: "`tag.team=a` keeps the runs whose tag `team` is `a`; several must all hold.",
      }),
      q: z.string().min(1).max(100).optional().openapi({
        description: "Runs whose name contains this; ASCII letters match in either case.",
        example: "shakes",
      }),
      sort: z.enum(["-created_at", "created_at"]).default("-created_at").openapi({
        description: "Newest or oldest first.",
      }),
      view: z.enum(["full", "summary"]).default("full").openapi({ description: "`summary` leaves `config` out." }),
    }),
  },
  responses: { 200: json(z.union([listOf(Run), listOf(RunSummary)]), "A page"), ...problems(400, 401) },
});

const get = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "getRun",
  summary: "A run",
  request: { params: IdParam },
  responses: { 200: json(Run, "The run"), ...problems(401, 404) },
});

const patch = createRoute({
  method: "patch",
  path: "/{id}",
  operationId: "updateRun",
  summary: "Change a run's name, tags or priority",
  request: {
    params: IdParam,
    body: jsonBody(
      z.strictObject({
        name: RunRequest.shape.name.describe("For people; need not be unique."),
        priority: RunRequest.shape.priority.removeDefault().optional().describe(
          "Of the queued runs, the highest goes first.",
        ),
        tags: RunRequest.shape.tags.removeDefault().optional().openapi({ description: "Replaces all tags." }),
      }).openapi("RunChanges", { description: "What to change; the rest stays." }),
      { name: "another name", tags: { team: "a" } },
    ),
  },
  responses: { 200: json(Run, "The run"), ...problems(400, 401, 404, 413, 415) },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "deleteRun",
  summary: "Delete a run with its metrics, events and checkpoints",
  request: { params: IdParam },
  responses: { 204: { description: "Deleted" }, ...problems(401, 404, 409) },
});

const action = <P extends string>(name: P, summary: string) =>
  createRoute({
    method: "post",
    path: `/{id}/${name}`,
    operationId: `${name}Run`,
    summary,
    request: { params: IdParam },
    responses: { 202: json(Run, "Accepted"), ...problems(401, 404, 409) },
  });

const CallLimits = z.strictObject({
  max_steps: z.int().min(1).max(1e9).default(50).describe("Updates to make in this call, at most."),
  max_ms: z.int().min(1).max(86_400_000).default(25_000).openapi({
    description: "Milliseconds from the request's arrival, the checkpoint at the end included.",
  }),
}).openapi("CallLimits", { description: "How far a call may take the run: it ends at the first limit." });

const steps = createRoute({
  method: "post",
  path: "/{id}/steps",
  operationId: "runSteps",
  summary: 'Drive a run of `"drive": "invoke"` some steps further',
  description: "Runs until one of the limits, makes the steps durable and answers; nothing is kept in memory between " +
    "calls. A call makes a step at least. With `Accept: text/event-stream` the run's events are streamed while it " +
    "lasts, and a last message of type `steps` carries the answer (`error` the problem).",
  request: {
    params: IdParam,
    body: {
      content: { "application/json": { schema: CallLimits, example: { max_steps: 50, max_ms: 25_000 } } },
    },
  },
  responses: {
    200: {
      description: "What was done",
      content: {
        "application/json": {
          schema: z.object({
            from_step: z.int().describe("Updates made before the call."),
            to_step: z.int().describe("Updates made after it, all of them durable."),
            status: RunStatus.describe("`queued` until the next call, or the end."),
            metrics: Run.shape.last_metrics,
          }).openapi("StepsTaken", { description: "What a call did." }),
        },
        "text/event-stream": EVENT_STREAM,
      },
    },
    ...problems(400, 401, 404, 409, 413, 415, 503),
  },
});

const takeCheckpoint = createRoute({
  method: "post",
  path: "/{id}/checkpoints",
  operationId: "takeCheckpoint",
  summary: "Take a checkpoint now",
  request: { params: IdParam, headers: IdempotencyHeader },
  responses: { 202: json(Run, "Asked of the trainer"), ...problems(401, 404, 409, 422) },
});

export function runRoutes(reverie: Reverie) {
  const { runs, runner } = reverie;
  const app = new OpenAPIHono<AppEnv>();
  const show = (run: RunRow) => showRun(runs.complete(run));

  app.openapi(create, async (c) => {
    const request = c.req.valid("json");
    const { body } = await createOnce(c, reverie, () => ({ status: 202, body: show(runner.create(request)) }));
    c.header("location", `/api/runs/${body.id}`);
    return c.json(body, 202);
  });

  app.openapi(list, (c) => {
    const { limit, after = null, status, q, sort, view } = c.req.valid("query");
    const statuses = status === undefined ? undefined : [status].flat();
    const order = sort === "created_at" ? "asc" : "desc";
    const rows = runs.list({ statuses, tags: tagsOf(c.req.url), q }, { after, limit: limit + 1, order });
    const cursor = (run: RunRow) => run.id;
    if (view === "summary") {
      return c.json(page(rows, limit, (run) => summarizeRun(runs.complete(run)), cursor), 200);
    }
    return c.json(page(rows, limit, show, cursor), 200);
  });

  app.openapi(get, (c) => c.json(show(runs.get(c.req.valid("param").id)), 200));

  app.openapi(patch, (c) => {
    return c.json(show(runner.edit(c.req.valid("param").id, c.req.valid("json"))), 200);
  });

  app.openapi(remove, async (c) => {
    await runner.remove(c.req.valid("param").id);
    return c.body(null, 204);
  });

  const accept = (c: Context<AppEnv>, run: RunRow) => {
    c.header("location", `/api/runs/${run.id}`); // which shows what becomes of it
    return c.json(show(run), 202);
  };
  app.openapi(
    action("pause", "Stop with a checkpoint, to go on later"),
    (c) => accept(c, runner.act("pause", c.req.valid("param").id)),
  );
  app.openapi(
    action("resume", "Queue a paused run again"),
    (c) => accept(c, runner.act("resume", c.req.valid("param").id)),
  );
  app.openapi(
    action("cancel", "Stop for good"),
    (c) => accept(c, runner.act("cancel", c.req.valid("param").id)),
  );

  app.openapi(steps, async (c) => {
    const { id } = c.req.valid("param");
    const limits = optionalJson(c, CallLimits, c.req.valid("json"));
    if (negotiate(c, ["application/json", "text/event-stream"]) === "text/event-stream") {
      return streamSteps(c, reverie, id, limits);
    }
    return c.json(await runner.invoke(id, limits), 200);
  });

  app.openapi(takeCheckpoint, async (c) => {
    const { id } = c.req.valid("param");
    const { body } = await createOnce(c, reverie, () => ({ status: 202, body: show(runner.checkpoint(id)) }));
    c.header("location", `/api/runs/${id}/checkpoints`); // the checkpoint has no id before it is taken
    return c.json(body, 202);
  });

  return app;
}

/** `tag.key=value` parameters, whatever the key: pairs, since an object would swallow one named `__proto__`. */
function tagsOf(url: string): [key: string, value: string][] {
  const tags = new Map<string, string>();
  for (const [name, value] of new URL(url).searchParams) {
    if (!name.startsWith("tag.")) continue;
    const key = name.slice("tag.".length);
    if (key === "" || tags.has(key)) throw new BadRequestError(`"${name}" must be given once, as tag.key=value`);
    tags.set(key, value);
  }
  return [...tags];
}
