import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { planRun } from "#src/runs/admission.ts";
import { unknownDataset } from "#src/runs/runner.ts";
import { RunRequest } from "#src/train/config.ts";
import { type AppEnv, json, jsonBody, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { DeviceSummary, summarizeDevice } from "./device.ts";

const Plan = z.object({
  parameters: z.int().describe("Trained numbers in the model."),
  flops_per_step: z.number().describe("Floating-point operations in an update, all its micro-steps together."),
  bytes: z.object({
    parameters: z.number().describe("Weights."),
    gradients: z.number().describe("Gradients."),
    optimizer: z.number().describe("The optimizer's state."),
    activations: z.number().describe("What the forward pass keeps, and scratch space."),
    total: z.number().describe("All together."),
  }).describe("Bytes on the device while the run trains."),
  fits: z.boolean().openapi({ description: "Whether this machine's device has the memory; false without a device." }),
  device: DeviceSummary.nullable().describe("This machine's device; null without one."),
  estimated_seconds_per_step: z.number().nullable().describe("Seconds for an update on this device; null without one."),
  notes: z.array(z.string()).openapi({ description: "What else stands between this body and a run." }),
}).openapi("Plan", { description: "What a run would take." });

const plan = createRoute({
  method: "post",
  path: "/",
  operationId: "planRun",
  summary: "What a run would take",
  description: "Arithmetic only: nothing is allocated, and the model may be larger than any machine.",
  request: { body: jsonBody(RunRequest, { dataset: "sample", model: { preset: "gpt2" } }) },
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
