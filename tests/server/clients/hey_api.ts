import { client } from "./hey/client.gen.ts";
import {
  createRun,
  deleteRun,
  getCheckpointFile,
  getRun,
  getRunEvents,
  getRunMetrics,
  listCheckpoints,
  planRun,
  uploadDataset,
} from "./hey/sdk.gen.ts";
import type { Run, RunEvent, RunRequest } from "./hey/types.gen.ts";

/** Compiles or not: these are what the types must say. */
export const minimal: RunRequest = { dataset: "sample" };
export const rateOf = (run: Run): number => run.config.optimizer.learning_rate;
export const firstLoss = (event: RunEvent): number | null | undefined =>
  event.type === "run.progress" ? event.data.points[0].loss : undefined;

/** From a text to a model's file, with the client that @hey-api/openapi-ts made. */
export async function drive(baseUrl: string, fetch: (request: Request) => Promise<Response>, text: string) {
  client.setConfig({ baseUrl, fetch: (input, init) => fetch(new Request(input, init)) });
  const uploaded = await uploadDataset({ query: { name: "hey-api" }, body: text });
  const dataset = uploaded.data!;

  const plan = await planRun({ body: { dataset: dataset.id } });
  const created = await createRun({
    headers: { "idempotency-key": "hey-api" },
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

  const stream = await getRunEvents({ path, parseAs: "text" });
  const list = await getRunEvents({ path, query: { format: "json", limit: 100 } });
  const events = typeof list.data === "object" ? list.data.data : [];
  const metrics = await getRunMetrics({ path, query: { name: ["train/loss"] } });
  const finished = await getRun({ path });
  const checkpoints = await listCheckpoints({ path });
  const [checkpoint] = checkpoints.data!.data;
  const file = await getCheckpointFile({
    path: { id: checkpoint.id, name: "model.safetensors" },
    headers: { range: "bytes=0-7" },
    parseAs: "arrayBuffer",
  });
  const refused = await createRun({ body: { dataset: "no such text" } });
  await deleteRun({ path });
  return {
    parameters: plan.data!.parameters,
    rate: rateOf(run),
    status: finished.data!.status,
    types: events.map(({ type }) => type),
    stream: String(stream.data),
    series: typeof metrics.data === "object" ? metrics.data.series["train/loss"] : undefined,
    fileBytes: (file.data as unknown as ArrayBuffer).byteLength,
    refusal: (refused.error as { errors: { path: string }[] }).errors[0].path,
  };
}
