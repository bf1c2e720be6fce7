import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "../tests/support/server.ts";
import { waitFor } from "../tests/support/wait_for.ts";
import type { Section } from "./report.ts";
import { summarize } from "./statistics.ts";
import { digits } from "./tables.ts";
import { describeShape, shapeOf, type WorkloadName, WORKLOADS } from "./workloads.ts";

/**
 * `deno task bench --calls`: what a call of `POST /api/runs/:id/steps` takes beyond the training in it: in a fresh
 * process, in one that gave its GPU back, and in one that still has it.
 */

/** Updates in a call. */
const STEPS = 10;

interface StepsTaken {
  from_step: number;
  to_step: number;
}

interface Measured {
  /** From the process's start to its ready line. */
  startMs: number[];
  /** Of the call, less its steps. */
  overheadMs: number[];
  stepMs: number[];
}

export async function benchCalls(
  name: WorkloadName,
  rounds: number,
  progress: (text: string) => void,
): Promise<Section> {
  const dataFolder = await mkdtemp(join(tmpdir(), "reverie-bench-"));
  const none = (): Measured => ({ startMs: [], overheadMs: [], stepMs: [] });
  const [fresh, givenBack, atHand] = [none(), none(), none()];
  try {
    const id = await makeRun(dataFolder, name);
    for (let round = 1; round <= rounds; round++) {
      progress(`calls at ${name}: round ${round} of ${rounds}`);
      const start = performance.now();
      await using server = await startServer({ dataFolder, env: { REVERIE_IDLE_SECONDS: "1", LOG_LEVEL: "info" } });
      fresh.startMs.push(performance.now() - start);
      await call(server.url, id, fresh);
      await call(server.url, id, atHand);
      await waitFor("the GPU to be given back", () => server.stderr.includes("the GPU was given back"));
      await call(server.url, id, givenBack);
      await server.stop();
    }
  } finally {
    await rm(dataFolder, { recursive: true, force: true });
  }
  progress("");
  const middle = (values: number[]) => digits(summarize(values).median);
  return {
    title: `Calls at ${name}`,
    lines: [
      `${describeShape(shapeOf(WORKLOADS[name]))}; ${rounds} rounds of calls of ${STEPS} steps, medians in ms`,
      "a call opens the device where it is not, allocates, loads and verifies a checkpoint, trains, writes one",
    ],
    table: {
      columns: ["a call in a process", "process start", "call less its steps", "a step in it"],
      rows: ([["just started", fresh], ["that gave its GPU back", givenBack], ["with its GPU", atHand]] as const).map(
        ([name, { startMs, overheadMs, stepMs }]) => [
          name,
          startMs.length > 0 ? middle(startMs) : "",
          middle(overheadMs),
          middle(stepMs),
        ],
      ),
    },
  };
}

/** A run that was called once: its kernels are tuned, and the driver's cache knows them. */
async function makeRun(dataFolder: string, name: WorkloadName): Promise<string> {
  await using server = await startServer({ dataFolder });
  const { model, context_length, batch_size, tokenizer } = WORKLOADS[name];
  const { n_layer, n_head, n_embd } = model;
  const { id } = await post<{ id: string }>(`${server.url}/api/runs`, {
    dataset: "sample",
    drive: "invoke",
    tokenizer: { kind: tokenizer.kind },
    model: { n_layer, n_head, n_embd },
    context_length,
    batch_size,
    max_steps: 1_000_000,
    eval: { every: 1_000_000 },
    checkpoint: { every: 1_000_000 },
    sample: { every: 0 },
  });
  await post(`${server.url}/api/runs/${id}/steps`, { max_steps: 1, max_ms: 600_000 });
  await server.stop();
  return id;
}

async function call(url: string, id: string, { overheadMs, stepMs }: Measured): Promise<void> {
  const start = performance.now();
  const taken = await post<StepsTaken>(`${url}/api/runs/${id}/steps`, { max_steps: STEPS, max_ms: 600_000 });
  const elapsedMs = performance.now() - start;
  const metric = "train/step_ms";
  const query = `name=${metric}&from_step=${taken.from_step + 1}&to_step=${taken.to_step}`;
  const answer = await fetch(`${url}/api/runs/${id}/metrics?${query}`, { headers: { accept: "application/json" } });
  const { series } = await answer.json() as { series: Record<string, { values: number[] }> };
  const steps = series[metric].values;
  if (steps.length !== STEPS) throw new Error(`a call made ${steps.length} steps, not ${STEPS}`);
  overheadMs.push(elapsedMs - steps.reduce((sum, ms) => sum + ms, 0));
  stepMs.push(summarize(steps).median);
}

async function post<T>(url: string, body: object): Promise<T> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return await response.json() as T;
}
