import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { planRun } from "#src/runs/admission.ts";
import { unknownDataset } from "#src/runs/runner.ts";
import { type RunConfig, RunRequest } from "#src/train/config.ts";
import { type AppEnv, json, jsonBody, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";
import { DeviceSummary, summarizeDevice } from "./device.ts";

const Reason = z.object({
  path: z.string().openapi({ description: "The field of the body that it is about." }),
  message: z.string().describe("The reason, in words."),
  suggestion: z.union([z.number(), z.string()]).optional().openapi({
    description: "A value for that field with which the reason would not be there.",
  }),
}).openapi("PlanReason", { description: "What stands against a run, or speaks against it." });

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
  fits: z.boolean().openapi({
    description: "Whether this machine takes the run: it has a device, and `problems` is empty.",
  }),
  device: DeviceSummary.nullable().describe("This machine's device; null without one."),
  estimated_seconds_per_step: z.number().nullable().openapi({
    description:
      "Seconds for an update: from an earlier run of this shape here, else from the device's measured speed; null without one.",
  }),
  estimated_seconds: z.number().nullable().openapi({
    description: "For the whole run: compiling and tuning at its start, steps, evaluations, samples and checkpoints; " +
      "not the time that it waits in the queue.",
  }),
  problems: z.array(Reason).openapi({
    description: "Why `POST /api/runs` would refuse this body, in the same words as its `errors`.",
  }),
  warnings: z.array(Reason).openapi({ description: "What speaks against the run and does not forbid it." }),
  notes: z.array(z.string()).openapi({ description: "The problems in words, and how the estimates were made." }),
}).openapi("Plan", { description: "What a run would take." });

const plan = createRoute({
  method: "post",
  path: "/",
  operationId: "planRun",
  summary: "What a run would take",
  description: "Arithmetic only: nothing is allocated, and the model may be larger than any machine. A configuration " +
    "that contradicts itself, or names no dataset, is refused as `POST /api/runs` refuses it.",
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
    const measured = (config: RunConfig) => device && reverie.runs.measuredStepMs(config, device.name);
    const planned = planRun(request, dataset, device, measured);
    return c.json({ ...planned, device: device && summarizeDevice(device) }, 200);
  });
  return app;
}
