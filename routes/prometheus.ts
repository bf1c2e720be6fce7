import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { Histogram, Registry } from "prom-client";
import { registerProcessMetrics } from "#src/runs/process_metrics.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { registerRunMetrics } from "#src/runs/run_metrics.ts";
import { type AppEnv, problems } from "./common.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const get = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getPrometheusMetrics",
  summary: "Metrics for Prometheus",
  responses: {
    200: {
      description: "Runs, queue, training speed, checkpoints, streams, requests, deliveries, the process",
      content: { "text/plain": { schema: z.string().openapi({ description: "Prometheus' text format." }) } },
    },
    ...problems(401, 403, 429),
  },
});

/** A registry of this server's own: prom-client's global one is shared by all in the process. */
export function openRegistry(reverie: Reverie): Registry {
  const registry = new Registry();
  registerRunMetrics(registry, reverie);
  registerProcessMetrics(registry);
  return registry;
}

export function prometheusRoutes(registry: Registry) {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(get, async (c) => c.text(await registry.metrics(), 200, { "content-type": registry.contentType }));
  return app;
}

/** Times every request until its answer begins: a stream's own length says nothing. */
export function measureRequests(registry: Registry): MiddlewareHandler<AppEnv> {
  const durations = new Histogram({
    name: "reverie_http_request_duration_seconds",
    help: "Time to the answer's first byte.",
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers: [registry],
  });
  return async (c, next) => {
    const end = durations.startTimer();
    await next();
    // The pattern, never the path: ids and guessed names would each make a series.
    const route = matchedRoutes(c).findLast(({ method }) => method !== "ALL")?.path ?? "none";
    const method = METHODS.includes(c.req.method) ? c.req.method : "other";
    end({ method, route, status: c.res.status });
  };
}
