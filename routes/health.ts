import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { sql } from "drizzle-orm";
import { type AppEnv, json } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";

const Health = z.object({ status: z.literal("ok").describe("Always `ok`.") }).openapi("Health", {
  description: "The process lives.",
});
const Readiness = z.object({
  status: z.enum(["ready", "unready"]).describe("`ready` if database and GPU answer."),
  database: z.enum(["ok", "error"]).describe("Whether the database answers."),
  gpu: z.enum(["ok", "opening", "none"]).describe("Whether there is a GPU; `opening` while it is looked for."),
}).openapi("Readiness", { description: "Whether runs can be trained." });

const healthz = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  summary: "The process lives",
  security: [],
  responses: { 200: json(Health, "It does") },
});

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "getReadiness",
  summary: "Database and GPU answer",
  security: [],
  responses: { 200: json(Readiness, "Both do"), 503: json(Readiness, "One does not") },
});

export function healthRoutes({ db, log, runner }: Reverie) {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(healthz, (c) => c.json({ status: "ok" as const }, 200));

  app.openapi(readyz, (c) => {
    const database = probe();
    const gpu = runner.device.status === "ready" ? "ok" : runner.device.status;
    return database === "ok" && gpu === "ok"
      ? c.json({ status: "ready" as const, database, gpu }, 200)
      : c.json({ status: "unready" as const, database, gpu }, 503);
  });

  function probe(): "ok" | "error" {
    try {
      db.get(sql`select 1`);
      return "ok";
    } catch (error) {
      log.error({ err: error }, "the database does not answer");
      return "error";
    }
  }

  return app;
}
