import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { downsample, type Points } from "#src/runs/downsample.ts";
import { METRIC_NAMES } from "#src/runs/metric_store.ts";
import { type AppEnv, IdParam, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const Name = z.enum(METRIC_NAMES);
const Step = z.coerce.number().int().min(0).max(2 ** 40);

const Metrics = z.object({
  run_id: z.string(),
  series: z.record(
    z.string(),
    z.object({
      steps: z.array(z.int()),
      values: z.array(z.number().nullable()).openapi({ description: "Null where the value was not finite." }),
      total_points: z.int().openapi({ description: "Before `max_points`." }),
    }),
  ),
}).openapi("Metrics");

const get = createRoute({
  method: "get",
  path: "/{id}/metrics",
  operationId: "getRunMetrics",
  summary: "A run's curves",
  request: {
    params: IdParam,
    query: z.object({
      name: z.union([Name, z.array(Name)]).optional().openapi({
        description: "May be repeated. Default: every metric that has points.",
      }),
      from_step: Step.default(0),
      to_step: Step.default(2 ** 40),
      max_points: z.coerce.number().int().min(2).max(1_000_000).optional().openapi({
        description: "For each metric: the minimum and maximum of equal buckets. Default: every point.",
      }),
    }),
  },
  responses: {
    200: {
      description: "Columns as JSON, or rows of `name,step,value`",
      content: {
        "application/json": { schema: Metrics },
        "text/csv": { schema: z.string() },
        "application/x-ndjson": { schema: z.string() },
      },
    },
    ...problems(400, 401, 404),
  },
});

export function metricRoutes({ runs, metrics }: Reverie) {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(get, async (c) => {
    const { id } = runs.get(c.req.valid("param").id);
    const { name, from_step, to_step, max_points } = c.req.valid("query");
    const names = name === undefined ? METRIC_NAMES : [...new Set([name].flat())];
    const series = [...await metrics.read(id, names, from_step, to_step)]
      .filter(([, { steps }]) => name !== undefined || steps.length > 0)
      .map(([name, points]) => ({
        name,
        points: max_points === undefined ? points : downsample(points, max_points),
        total_points: points.steps.length,
      }));
    const accept = c.req.header("accept") ?? "";
    if (accept.includes("text/csv")) {
      return c.body(["name,step,value\n", ...rows(series, csvRow)].join(""), 200, {
        "content-type": "text/csv; charset=utf-8",
      });
    }
    if (accept.includes("application/x-ndjson")) {
      return c.body([...rows(series, ndjsonRow)].join(""), 200, { "content-type": "application/x-ndjson" });
    }
    return c.json({
      run_id: id,
      series: Object.fromEntries(series.map(({ name, points: { steps, values }, total_points }) => [
        name,
        { steps, values: values.map(finite), total_points },
      ])),
    }, 200);
  });
  return app;
}

type Row = (name: string, step: number, value: number | null) => string;
const csvRow: Row = (name, step, value) => `${name},${step},${value ?? ""}\n`;
const ndjsonRow: Row = (name, step, value) => `${JSON.stringify({ name, step, value })}\n`;

function* rows(series: { name: string; points: Points }[], row: Row): Generator<string> {
  for (const { name, points: { steps, values } } of series) {
    for (let i = 0; i < steps.length; i++) yield row(name, steps[i], finite(values[i]));
  }
}

/** JSON knows no NaN and no infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
