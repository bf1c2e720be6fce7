import { eq } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { run_keys } from "../db/schema.ts";
import type { StepPoint } from "../train/protocol.ts";
import { nextTurn } from "../turns.ts";
import type { Points } from "./downsample.ts";

const TRAIN_COLUMNS = {
  "train/loss": "loss",
  "train/lr": "lr",
  "train/grad_norm": "grad_norm",
  "train/tokens_per_second": "tokens_per_second",
  "train/step_ms": "step_ms",
  "train/mfu": "mfu",
  "train/epoch": "epoch",
} as const;
const VAL_COLUMNS = { "val/loss": "loss", "val/perplexity": "perplexity", "val/bpb": "bpb" } as const;

export type MetricName = keyof typeof TRAIN_COLUMNS | keyof typeof VAL_COLUMNS;
export const METRIC_NAMES = [...Object.keys(TRAIN_COLUMNS), ...Object.keys(VAL_COLUMNS)] as MetricName[];

export interface ValPoint {
  step: number;
  loss: number;
  perplexity: number;
  bpb: number;
}

/** Rows read before the event loop gets a turn: about 10 ms. */
const READ_ROWS = 5000;

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

  /** Every point of the named curves within [fromStep, toStep]; reads in slices, so that other requests get their turn. */
  async read(runId: string, names: MetricName[], fromStep: number, toStep: number): Promise<Map<MetricName, Points>> {
    const series = new Map(names.map((name) => [name, { steps: [], values: [] } as Points]));
    const key = this.#keyOf(runId);
    for (const name of names) {
      const { steps, values } = series.get(name)!;
      const [table, column] = name in VAL_COLUMNS
        ? ["val_points", VAL_COLUMNS[name as keyof typeof VAL_COLUMNS]]
        : ["train_points", TRAIN_COLUMNS[name as keyof typeof TRAIN_COLUMNS]];
      const slice = this.db.$client.prepare(
        `select step, ${column} from ${table} where run_key = ? and step between ? and ? order by step limit ?`,
      ).raw();
      for (let from = fromStep;;) {
        const rows = slice.all(key, from, toStep, READ_ROWS) as [number, number | null][];
        for (const [step, value] of rows) {
          steps.push(step);
          values.push(value ?? NaN);
        }
        if (rows.length < READ_ROWS) break;
        from = rows[rows.length - 1][0] + 1;
        await nextTurn();
      }
    }
    return series;
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

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
