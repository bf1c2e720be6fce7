import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { BadRequestError } from "#src/errors.ts";
import { METRIC_NAMES, type MetricName } from "#src/runs/metric_store.ts";
import { Reading } from "#src/runs/reading.ts";
import { type AppEnv, IdParam, json, problems } from "./common.ts";
import { type NamedCurve, ROW_FORMATS, rows, runJson, writtenResponse } from "./metric_text.ts";
import { negotiate } from "./negotiate.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const MAX_BUCKETS = 2000;
const MAX_RUNS = 50;

const Name = z.enum(METRIC_NAMES);
const Step = z.coerce.number().int().min(0).max(2 ** 40);

const Series = z.object({
  steps: z.array(z.int()).openapi({ description: "Ascending, each step once." }),
  values: z.array(z.number().nullable()).openapi({ description: "Null where the value was not finite." }),
  total_points: z.int().openapi({ description: "Points in the range of steps, before `max_points`." }),
}).openapi("Series", { description: "A curve's points." });

const ofFinite = (what: string) =>
  z.array(z.number().nullable()).openapi({
    description: `The ${what} of each bucket's finite values; null if it has none.`,
  });

const Buckets = z.object({
  steps: z.array(z.int()).openapi({
    description: "The first step of each bucket that has a point; a bucket without one is left out.",
  }),
  mean: ofFinite("mean"),
  min: ofFinite("minimum"),
  max: ofFinite("maximum"),
  count: z.array(z.int()).openapi({ description: "Finite values of each bucket: what the mean is of." }),
  nonfinite: z.array(z.int()).openapi({ description: "Values of each bucket that were not finite." }),
  from_step: z.int().openapi({ description: "Where the first bucket begins: the curve's first step in the range." }),
  bucket_steps: z.int().openapi({
    description:
      "Steps of each bucket: a point belongs to bucket floor((step - from_step) / bucket_steps), so a client " +
      "can fold the points of later events into the same buckets.",
  }),
  total_points: z.int().openapi({ description: "Points in the range of steps, finite or not." }),
}).openapi("BucketedSeries", {
  description: "A curve in equal ranges of steps: what a chart draws as a band and its mean.",
});

const Metrics = z.object({
  run_id: z.string().describe("The run."),
  series: z.record(z.string(), z.union([Series, Buckets])).openapi({
    description: "By metric: `BucketedSeries` with `buckets`, otherwise `Series`.",
  }),
}).openapi("Metrics", { description: "A run's curves, as columns." });

const Query = z.object({
  name: z.union([Name, z.array(Name)]).optional().openapi({
    description: "May be repeated. Default: every metric that has points.",
  }),
  from_step: Step.default(0).openapi({ description: "The first step of the range." }),
  to_step: Step.default(2 ** 40).openapi({ description: "The last step of the range." }),
  max_points: z.coerce.number().int().min(2).max(1_000_000).optional().openapi({
    description:
      "At most so many points of each metric: the first and the last, and between them the minimum and the " +
      "maximum of equal ranges of steps, and of those with values that are not finite the first such one. Default: " +
      "every point.",
  }),
  buckets: z.coerce.number().int().min(1).max(MAX_BUCKETS).optional().openapi({
    description: "Mean, minimum and maximum of at most so many equal ranges of steps, in place of points.",
  }),
});

const get = createRoute({
  method: "get",
  path: "/{id}/metrics",
  operationId: "getRunMetrics",
  summary: "A run's curves",
  description: "Columns as JSON, or rows as CSV or NDJSON: `name,step,value`, and with `buckets` " +
    "`name,step,mean,min,max,count,nonfinite`. The answer is written while it is read, however long the run.",
  request: { params: IdParam, query: Query },
  responses: {
    200: {
      description: "Columns, or rows",
      content: {
        "application/json": { schema: Metrics },
        "text/csv": { schema: z.string() },
        "application/x-ndjson": { schema: z.string() },
      },
    },
    ...problems(400, 401, 404),
  },
});

const getSeveral = createRoute({
  method: "get",
  path: "/",
  operationId: "getMetrics",
  summary: "The curves of several runs",
  request: {
    query: Query.extend({
      run: z.union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).max(MAX_RUNS)]).openapi({
        description: `A run's id; may be repeated, up to ${MAX_RUNS} times.`,
      }),
    }),
  },
  responses: {
    200: json(
      z.object({ data: z.array(Metrics).describe("One for each run.") }).openapi("MetricsOfRuns", {
        description: "Curves of several runs.",
      }),
      "The runs, in the order they were named",
    ),
    ...problems(400, 401, 404),
  },
});

type Query = z.output<typeof Query>;

/** Mounted at `/api/runs` and `/api/metrics`. */
export function metricRoutes({ runs, metrics }: Reverie) {
  /** Curves that were not asked for by name are those that have points. @throws {NotFoundError} */
  const curvesOf = (runId: string, { name, from_step, to_step }: Query): NamedCurve[] => {
    const { id } = runs.get(runId);
    const names: MetricName[] = name === undefined ? METRIC_NAMES : [...new Set([name].flat())];
    return names.map((each) => [each, metrics.curve(id, each, from_step, to_step)] as const)
      .filter(([, { range }]) => name !== undefined || range !== null);
  };

  const ofRun = new OpenAPIHono<AppEnv>();
  ofRun.openapi(get, (c) => {
    const query = checked(c.req.valid("query"));
    const { id } = c.req.valid("param");
    const curves = curvesOf(id, query);
    const reading = new Reading();
    const type = negotiate(c, ["application/json", "text/csv", "application/x-ndjson"]);
    if (type === "application/json") return writtenResponse(runJson(id, curves, query, reading), reading, type);
    const contentType = type === "text/csv" ? "text/csv; charset=utf-8" : type;
    return writtenResponse(rows(curves, query, ROW_FORMATS[type], reading), reading, contentType);
  });

  const ofSeveral = new OpenAPIHono<AppEnv>();
  ofSeveral.openapi(getSeveral, (c) => {
    const { run, ...asked } = c.req.valid("query");
    const query = checked(asked);
    const curves = [...new Set([run].flat())].map((id) => [id, curvesOf(id, query)] as const);
    const reading = new Reading();
    // Hono's types know of no JSON that is written in pieces.
    return writtenResponse(severalJson(curves, query, reading), reading, "application/json") as never;
  });

  return { ofRun, ofSeveral };
}

function checked(query: Query): Query {
  if (query.buckets === undefined || query.max_points === undefined) return query;
  const message = "give `buckets` or `max_points`, not both";
  throw new BadRequestError(message, [{ path: "max_points", message }]);
}

async function* severalJson(runs: (readonly [id: string, curves: NamedCurve[]])[], query: Query, reading: Reading) {
  yield '{"data":[';
  for (const [i, [id, curves]] of runs.entries()) {
    if (i > 0) yield ",";
    yield* runJson(id, curves, query, reading);
  }
  yield "]}";
}
