import { and, asc, eq, gt, gte, lte, min } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { train_points, val_points } from "../db/schema.ts";
import type { StepPoint } from "../train/protocol.ts";
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

/** SQLite takes at most 32,766 values in a statement; a train point has nine. */
const INSERT_ROWS = 1000;
/** Rows read before the event loop gets a turn: about 10 ms. */
const READ_ROWS = 5000;

/** The curves of all runs: one row a step, whatever was killed in between. */
export class MetricStore {
  constructor(private readonly db: Database) {}

  addTrainPoints(runId: string, points: StepPoint[]): void {
    for (let from = 0; from < points.length; from += INSERT_ROWS) {
      const rows = points.slice(from, from + INSERT_ROWS).map((point) => ({ run_id: runId, ...point }));
      this.db.insert(train_points).values(rows).run();
    }
  }

  /** An evaluation at a step that has one already replaces it: a run resumed at that step may evaluate again. */
  setValPoint(runId: string, { step, ...values }: ValPoint): void {
    this.db.insert(val_points).values({ run_id: runId, step, ...values })
      .onConflictDoUpdate({ target: [val_points.run_id, val_points.step], set: values }).run();
  }

  /** Forgets what an earlier attempt did past the step that the run goes on from. */
  dropAfter(runId: string, step: number): void {
    this.db.delete(train_points).where(and(eq(train_points.run_id, runId), gt(train_points.step, step))).run();
    this.db.delete(val_points).where(and(eq(val_points.run_id, runId), gt(val_points.step, step))).run();
  }

  bestValLoss(runId: string, upToStep: number): number | null {
    return this.db.select({ best: min(val_points.loss) }).from(val_points)
      .where(and(eq(val_points.run_id, runId), lte(val_points.step, upToStep))).get()?.best ?? null;
  }

  /** Every point of the named curves within [fromStep, toStep]; reads in slices, so that other requests get their turn. */
  async read(runId: string, names: MetricName[], fromStep: number, toStep: number): Promise<Map<MetricName, Points>> {
    const series = new Map(names.map((name) => [name, { steps: [], values: [] } as Points]));
    const read = async (columns: Record<string, string>, next: (from: number) => Record<string, unknown>[]) => {
      const wanted = names.filter((name) => name in columns);
      if (wanted.length === 0) return;
      for (let from = fromStep;;) {
        const rows = next(from);
        for (const name of wanted) {
          const { steps, values } = series.get(name)!;
          for (const row of rows) {
            steps.push(row.step as number);
            values.push((row[columns[name]] as number | null) ?? NaN);
          }
        }
        if (rows.length < READ_ROWS) return;
        from = rows[rows.length - 1].step as number + 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await read(TRAIN_COLUMNS, (from) => this.#rows(train_points, runId, from, toStep));
    await read(VAL_COLUMNS, (from) => this.#rows(val_points, runId, from, toStep));
    return series;
  }

  #rows(table: typeof train_points | typeof val_points, runId: string, from: number, to: number) {
    return this.db.select().from(table)
      .where(and(eq(table.run_id, runId), gte(table.step, from), lte(table.step, to)))
      .orderBy(asc(table.step)).limit(READ_ROWS).all();
  }
}
