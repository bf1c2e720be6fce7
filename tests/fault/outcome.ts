import { expect } from "bun:test";
import { startServer } from "../support/server.ts";
import { type Checkpoint, Client, type Run, SMALL_RUN } from "../server/client.ts";
import { type Entry, lossesOf, retrace } from "./history.ts";

/** Eleven seconds on a software adapter, a quarter of them in the writing of 41 checkpoints. */
export const BODY = {
  ...SMALL_RUN,
  max_steps: 2000,
  eval: { every: 100, batches: 2 },
  checkpoint: { every: 50, keep: 3 },
  sample: { every: 250, max_tokens: 8 },
};

/** All of a finished run that must not depend on what happened to the server while it trained. */
export interface Outcome {
  run: Partial<Run>;
  /** Bytes and hashes of the final weights, moments, tokenizer and position in the data. */
  files: Checkpoint["files"];
  checkpoints: { step: number; is_best: boolean }[];
  losses: { steps: number[]; values: unknown[] };
  history: Entry[];
}

export async function outcomeOf(client: Client, id: string): Promise<Outcome> {
  type Facts = Run & { tokens_seen: number; epoch: number; best_val_loss: number; skipped_steps: number };
  const { status, step, tokens_seen, epoch, best_val_loss, skipped_steps } = await client.run(id) as Facts;
  const checkpoints = await client.checkpoints(id);
  const events = await client.events(id);
  const { steps, values } = await client.losses(id);
  expect(events.at(-1)!.type).toBe(`run.${status}`);
  return {
    run: { status, step, tokens_seen, epoch, best_val_loss, skipped_steps } as Partial<Run>,
    files: checkpoints[0].files,
    checkpoints: checkpoints.map(({ step, is_best }) => ({ step, is_best })),
    losses: { steps, values },
    history: retrace(events),
  };
}

/** The outcome of a run on a server of its own that nobody disturbs. */
export async function undisturbed(body: typeof BODY): Promise<Outcome> {
  await using server = await startServer();
  const client = new Client(server.url);
  const { id } = await client.post<Run>("/api/runs", body);
  await client.reached(id, "succeeded");
  const outcome = await outcomeOf(client, id);
  expect(outcome.losses.steps).toEqual(Array.from({ length: body.max_steps }, (_, i) => i + 1));
  expect(lossesOf(outcome.history)).toEqual(outcome.losses);
  expect(outcome.files.map(({ name }) => name)).toContain("optimizer.safetensors");
  return outcome;
}

/** The same, said part by part: a difference in the losses is not lost among the thousands that follow from it. */
export function expectSame(outcome: Outcome, reference: Outcome): void {
  expect(outcome.run).toEqual(reference.run);
  expect(outcome.losses.steps).toEqual(reference.losses.steps);
  const i = outcome.losses.values.findIndex((loss, i) => loss !== reference.losses.values[i]);
  if (i !== -1) {
    const [here, there] = [outcome, reference].map(({ losses }) => losses.values[i]);
    throw new Error(`the loss of step ${outcome.losses.steps[i]} is ${here}; undisturbed, it is ${there}`);
  }
  expect(outcome.files).toEqual(reference.files);
  expect(outcome.checkpoints).toEqual(reference.checkpoints);
  const differing = outcome.history.findIndex((entry, i) => !Bun.deepEquals(entry, reference.history[i]));
  if (differing !== -1) expect(outcome.history[differing]).toEqual(reference.history[differing]);
  expect(outcome.history.length).toBe(reference.history.length);
}
