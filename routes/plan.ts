import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { planRun } from "#src/runs/admission.ts";
import { unknownDataset } from "#src/runs/runner.ts";
import { RunRequest } from "#src/train/config.ts";
import { type AppEnv, json, jsonBody, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { DeviceSummary, summarizeDevice } from "./device.ts";

const Plan = z.object({
  parameters: z.int(),
  flops_per_step: z.number(),
  bytes: z.object({
    parameters: z.number(),
    gradients: z.number(),
    optimizer: z.number(),
    activations: z.number(),
    total: z.number(),
  }),
  fits: z.boolean().openapi({ description: "Whether this machine's device has the memory; false without a device." }),
  device: DeviceSummary.nullable(),
  estimated_seconds_per_step: z.number().nullable(),
  notes: z.array(z.string()).openapi({ description: "What else stands between this body and a run." }),
}).openapi("Plan");

const plan = createRoute({
  method: "post",
  path: "/",
  operationId: "planRun",
  summary: "What a run would take",
  description: "Arithmetic only: nothing is allocated, and the model may be larger than any machine.",
  request: { body: jsonBody(RunRequest) },
  responses: { 200: json(Plan, "The plan"), ...problems(400, 401, 413, 415, 422) },
});

export function planRoutes(reverie: Reverie) {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(plan, (c) => {
    const request = c.req.valid("json");
    const dataset = reverie.datasets.find(request.dataset);
    if (!dataset) throw unknownDataset(request.dataset);
    const state = reverie.runner.device;
    const device = state.status === "ready" ? state.device : null;
    return c.json({ ...planRun(request, dataset, device), device: device && summarizeDevice(device) }, 200);
  });
  return app;
}
