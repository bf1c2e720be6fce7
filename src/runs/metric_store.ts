import { eq } from "drizzle-orm";
import { type Database, transactionOfRepeatable } from "../db/client.ts";
import { run_keys } from "../db/schema.ts";
import type { StepPoint } from "../train/protocol.ts";
import { Curve } from "./curve.ts";

const train = (column: keyof StepPoint) => ({ table: "train_points", column } as const);
const val = (column: keyof ValPoint) => ({ table: "val_points", column } as const);

/** Each metric, and the column that holds it. */
const SOURCES = {
  "train/loss": train("loss"),
  "train/lr": train("lr"),
  "train/grad_norm": train("grad_norm"),
  "train/tokens_per_second": train("tokens_per_second"),
  "train/step_ms": train("step_ms"),
  "train/mfu": train("mfu"),
  "train/epoch": train("epoch"),
  "val/loss": val("loss"),
  "val/perplexity": val("perplexity"),
  "val/bpb": val("bpb"),
};

export type MetricName = keyof typeof SOURCES;
export const METRIC_NAMES = Object.keys(SOURCES) as MetricName[];

export interface ValPoint {
  step: number;
  loss: number;
  perplexity: number;
  bpb: number;
}

/** Points that are removed in one statement: about 5 ms. */
const SLICE_POINTS = 5000;

/** The curves of all runs: one row a step, whatever was killed in between. */
export class MetricStore {
  constructor(private readonly db: Database) {}

  addTrainPoints(runId: string, points: StepPoint[]): void {
    const key = this.#makeKey(runId);
    const insert = this.db.$client.prepare(`insert into train_points
      (run_key, step, loss, lr, grad_norm, tokens_per_second, step_ms, mfu, epoch) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    for (const { step, loss, lr, grad_norm, tokens_per_second, step_ms, mfu, epoch } of points) {
      insert.run(key, step, ...[loss, lr, grad_norm, tokens_per_second, step_ms, mfu, epoch].map(finite));
    }
  }

  /** An evaluation at a step that has one already replaces it: a run resumed at that step may evaluate again. */
  setValPoint(runId: string, { step, loss, perplexity, bpb }: ValPoint): void {
    this.db.$client.prepare(
      "insert or replace into val_points (run_key, step, loss, perplexity, bpb) values (?, ?, ?, ?, ?)",
    )
      .run(this.#makeKey(runId), step, ...[loss, perplexity, bpb].map(finite));
  }

  /** Whether `dropAfter` would hold the thread for long: 90,000 points took 0.4 s. */
  hasManyAfter(runId: string, step: number): boolean {
    return this.db.$client.prepare("select 1 from train_points where run_key = ? and step > ? limit 1 offset ?")
      .get(this.#keyOf(runId), step, SLICE_POINTS) !== undefined;
  }

  /** Removes the newest points past a step, but for the last slice. @returns whether there are more to remove */
  removeSliceAfter(runId: string, step: number): boolean {
    const key = this.#keyOf(runId);
    const { $client } = this.db;
    const from = $client.prepare(
      "select step from train_points where run_key = ? and step > ? order by step desc limit 1 offset ?",
    )
      .pluck().get(key, step, SLICE_POINTS) as number | undefined;
    if (from === undefined) return false;
    transactionOfRepeatable(
      this.db,
      () => $client.prepare("delete from train_points where run_key = ? and step > ?").run(key, from),
    );
    return true;
  }

  /** Forgets what an earlier attempt did past the step that the run resumes from. */
  dropAfter(runId: string, step: number): void {
    const key = this.#keyOf(runId);
    for (const table of ["train_points", "val_points"]) {
      this.db.$client.prepare(`delete from ${table} where run_key = ? and step > ?`).run(key, step);
    }
  }

  /** By its index the lowest loss is the first: it is found at once, however many evaluations there were. */
  bestValLoss(runId: string, upToStep: number): number | null {
    const best = this.db.$client.prepare(
      "select loss from val_points where run_key = ? and loss is not null and step <= ? order by loss limit 1",
    ).pluck().get(this.#keyOf(runId), upToStep);
    return (best as number | undefined) ?? null;
  }

  /** One metric of a run within [fromStep, toStep], as far as it is known now. */
  curve(runId: string, name: MetricName, fromStep: number, toStep: number): Curve {
    const source = SOURCES[name];
    const { $client } = this.db;
    const find = $client.prepare("select 1 from runs where id = ?");
    const exists = () => find.get(runId) !== undefined;
    return new Curve($client, { ...source, runKey: this.#keyOf(runId), exists }, fromStep, toStep);
  }

  /** Null, which no row has, until a run has its first point. */
  #keyOf(runId: string): number | null {
    return this.db.select({ key: run_keys.key }).from(run_keys).where(eq(run_keys.run_id, runId)).get()?.key ?? null;
  }

  #makeKey(runId: string): number {
    return this.#keyOf(runId) ??
      this.db.insert(run_keys).values({ run_id: runId }).returning({ key: run_keys.key }).get().key;
  }
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
