import createClient from "openapi-fetch";
import type { components, paths } from "./schema.ts";

type Schemas = components["schemas"];

/** Compiles or not: these are what the types must say. */
export const minimal: Schemas["RunRequest"] = { dataset: "sample" };
export const rateOf = (run: Schemas["Run"]): number => run.config.optimizer.learning_rate;
export const firstLoss = (event: Schemas["RunEvent"]): number | null | undefined =>
  event.type === "run.progress" ? event.data.points[0].loss : undefined;

/** From a text to a model's file, with openapi-fetch and the types that openapi-typescript made. */
export async function drive(baseUrl: string, fetch: (request: Request) => Promise<Response>, text: string) {
  const client = createClient<paths>({ baseUrl, fetch });
  const uploaded = await client.POST("/api/datasets", {
    params: { query: { name: "openapi-fetch" } },
    body: text,
    bodySerializer: (body) => body,
    headers: { "content-type": "text/plain" },
  });
  const dataset = uploaded.data!;

  const plan = await client.POST("/api/plan", { body: { dataset: dataset.id } });
  const created = await client.POST("/api/runs", {
    params: { header: { "idempotency-key": "openapi-fetch" } },
    body: {
      dataset: dataset.id,
      model: { n_layer: 1, n_head: 1, n_embd: 8 },
      context_length: 8,
      batch_size: 2,
      max_steps: 20,
      eval: { every: 10, batches: 1 },
      checkpoint: { every: 10 },
      sample: { every: 20, max_tokens: 4 },
    },
  });
  const run = created.data!;
  const path = { id: run.id };

  const stream = await client.GET("/api/runs/{id}/events", { params: { path }, parseAs: "text" });
  const list = await client.GET("/api/runs/{id}/events", { params: { path, query: { format: "json", limit: 100 } } });
  const events = typeof list.data === "object" ? list.data.data : [];
  const metrics = await client.GET("/api/runs/{id}/metrics", { params: { path, query: { name: ["train/loss"] } } });
  const finished = await client.GET("/api/runs/{id}", { params: { path } });
  const checkpoints = await client.GET("/api/runs/{id}/checkpoints", { params: { path } });
  const [checkpoint] = checkpoints.data!.data;
  const file = await client.GET("/api/checkpoints/{id}/files/{name}", {
    params: { path: { id: checkpoint.id, name: "model.safetensors" }, header: { range: "bytes=0-7" } },
    parseAs: "arrayBuffer",
  });
  const refused = await client.POST("/api/runs", { body: { dataset: "no such text" } });
  await client.DELETE("/api/runs/{id}", { params: { path } });
  return {
    parameters: plan.data!.parameters,
    rate: rateOf(run),
    status: finished.data!.status,
    types: events.map(({ type }) => type),
    stream: String(stream.data),
    series: typeof metrics.data === "object" ? metrics.data.series["train/loss"] : undefined,
    fileBytes: file.data!.byteLength,
    refusal: refused.error!.errors![0].path,
  };
}
