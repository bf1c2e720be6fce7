import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { NoDeviceError } from "#src/errors.ts";
import type { DeviceInfo } from "#src/train/protocol.ts";
import { type AppEnv, json, problems } from "./common.ts";
import type { Reverie } from "#src/runs/reverie.ts";

export const DeviceSummary = z.object({
  name: z.string().describe("The adapter's name, as its driver gives it."),
  software: z.boolean().openapi({ description: "The CPU does the work: no real GPU." }),
  memory_bytes: z.number().nullable().openapi({
    description:
      "Bytes that runs may take together, as it was at the start. For a software adapter: the machine's free " +
      "memory, or what a container's limit leaves, less a reserve. For a card: REVERIE_GPU_MEMORY_BYTES; null without " +
      "it, since WebGPU does not say.",
  }),
  measured: z.object({
    gflops: z.number().describe("Matrix multiplication in f32, in 10⁹ floating-point operations per second."),
    gigabytes_per_second: z.number().describe("Copy, in 10⁹ bytes per second."),
  }).describe("Speed as measured when the device was opened."),
}).openapi("DeviceSummary", { description: "The GPU in short." });

const Device = z.object({
  ...DeviceSummary.shape,
  vendor: z.string().describe("Who made it."),
  architecture: z.string().describe("Its family, as WebGPU names it."),
  driver: z.string().describe("The driver and its version."),
  features: z.array(z.string()).describe("WebGPU features that it has."),
  limits: z.record(z.string(), z.number()).describe("WebGPU limits by name, as the adapter gives them."),
}).openapi("Device", { description: "The GPU in use." });

const get = createRoute({
  method: "get",
  path: "/",
  operationId: "getDevice",
  summary: "The GPU in use",
  responses: { 200: json(Device, "Adapter, driver, limits, features and measured speed"), ...problems(401, 503) },
});

export function deviceRoutes(reverie: Reverie) {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(get, (c) => {
    const state = reverie.runner.device;
    if (state.status !== "ready") {
      throw new NoDeviceError(state.status === "none" ? state.reason : "it is being opened");
    }
    const { vendor, architecture, driver, features, limits } = state.device;
    return c.json({ ...summarizeDevice(state.device), vendor, architecture, driver, features, limits }, 200);
  });
  return app;
}

export function summarizeDevice({ name, software, memoryBytes, measured }: DeviceInfo): z.output<typeof DeviceSummary> {
  return {
    name,
    software,
    memory_bytes: memoryBytes,
    measured: { gflops: measured.gflops, gigabytes_per_second: measured.gigabytesPerSecond },
  };
}
