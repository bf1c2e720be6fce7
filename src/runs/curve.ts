import type SqliteDatabase from "better-sqlite3";
import type { Reading } from "./reading.ts";

/** Points by ascending step; a value is null if it was not finite. */
export interface Points {
  steps: number[];
  values: (number | null)[];
}

/** The column that holds a curve's points. */
export interface Source {
  table: "train_points" | "val_points";
  column: string;
  /** Null for a run without points. */
  runKey: number | null;
  /** Whether the run is still there; once it is deleted, its points go in slices. */
  exists: () => boolean;
}

/** Equal ranges of steps; those without a point are left out. */
export interface Buckets {
  /** The first step of each bucket that has a point. */
  steps: number[];
  /** Mean, minimum and maximum are null for a bucket of values that are not finite. */
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  /** Finite values of each bucket: the weights of the means. */
  count: number[];
  nonfinite: number[];
  /** Bucket k holds the steps from `from_step` + k × `bucket_steps` on. */
  from_step: number;
  bucket_steps: number;
  total_points: number;
}

interface Summary {
  first: number;
  count: number;
  sum: number;
  min: number;
  max: number;
  nonfinite: number;
}

/** Rows of one slice that is read: about 1 ms. */
const SLICE_ROWS = 2000;
/** Steps of one slice that SQLite adds up by itself: 2.4 ms. */
const SLICE_STEPS = 20_000;

/** One metric of one run over a range of steps. It reads a slice at a time, never more than two columns. */
export class Curve {
  /** The first and last step that has a point. Points that are added later do not belong to this curve. */
  readonly range: { first: number; last: number } | null;
  readonly #statements = new Map<string, SqliteDatabase.Statement>();

  constructor(
    private readonly sqlite: SqliteDatabase.Database,
    private readonly source: Source,
    fromStep: number,
    toStep: number,
  ) {
    const end = (order: "asc" | "desc") =>
      this.#prepare(`select step from ${source.table} where ${RANGE} order by step ${order} limit 1`).pluck()
        .get(source.runKey, fromStep, toStep) as number | undefined;
    const first = end("asc");
    this.range = first === undefined ? null : { first, last: end("desc")! };
  }

  /** Every point, a slice at a time. @throws if the run is deleted meanwhile: its points are no longer whole */
  *slices(): Generator<Points> {
    if (this.range === null) return;
    const { table, column, runKey } = this.source;
    const rows = this.#prepare(`select step, ${column} from ${table} where ${RANGE} order by step limit ${SLICE_ROWS}`)
      .raw();
    for (let from = this.range.first; from <= this.range.last;) {
      this.#check();
      const slice = rows.all(runKey, from, this.range.last) as [number, number | null][];
      if (slice.length === 0) return;
      yield { steps: slice.map(([step]) => step), values: slice.map(([, value]) => value) };
      from = slice[slice.length - 1][0] + 1;
    }
  }

  /** Mean, minimum and maximum of at most `count` buckets. SQLite adds up, which is faster than reading every row. */
  async buckets(count: number, reading: Reading): Promise<Buckets> {
    const { first = 0, last = -1 } = this.range ?? {};
    const width = Math.max(1, Math.ceil((last - first + 1) / count));
    const kept = { steps: [], mean: [], min: [], max: [], count: [], nonfinite: [] } as Omit<
      Buckets,
      "from_step" | "bucket_steps" | "total_points"
    >;
    for (let from = first; from <= last; from += width) {
      const summary = await this.#summarise(from, Math.min(from + width - 1, last), reading);
      if (summary === null) continue;
      const isEmpty = summary.count === 0;
      kept.steps.push(summary.first);
      kept.mean.push(isEmpty ? null : summary.sum / summary.count);
      kept.min.push(isEmpty ? null : summary.min);
      kept.max.push(isEmpty ? null : summary.max);
      kept.count.push(summary.count);
      kept.nonfinite.push(summary.nonfinite);
    }
    const total_points = [...kept.count, ...kept.nonfinite].reduce((sum, n) => sum + n, 0);
    return { ...kept, from_step: first, bucket_steps: width, total_points };
  }

  /**
   * At most `maxPoints` points: the first, the last, and between them the minimum and the maximum of each bucket, so that
   * a spike of one step survives any reduction (to 4 points or more). A curve with values that are not finite has fewer
   * buckets, and keeps the first such value of each besides.
   */
  async extremes(maxPoints: number, reading: Reading): Promise<Points & { total_points: number }> {
    if (this.range === null) return { steps: [], values: [], total_points: 0 };
    const { first, last } = this.range;
    const all = (await this.#summarise(first, last, reading))!;
    const total_points = all.count + all.nonfinite;
    if (total_points <= maxPoints) return { ...await this.#all(reading), total_points };
    const room = maxPoints - 2;
    const ofEach = all.nonfinite > 0 && room >= 3 ? 3 : 2;
    const width = Math.ceil((last - first - 1) / Math.max(1, Math.floor(room / ofEach)));
    const kept = new Extremes(first, last, width, ofEach === 3);
    for (const { steps, values } of this.slices()) {
      for (let i = 0; i < steps.length; i++) kept.add(steps[i], values[i], room >= 2);
      await reading.turn();
    }
    return { ...kept.points, total_points };
  }

  async #all(reading: Reading): Promise<Points> {
    const points: Points = { steps: [], values: [] };
    for (const { steps, values } of this.slices()) {
      points.steps.push(...steps);
      points.values.push(...values);
      await reading.turn();
    }
    return points;
  }

  /** Null if there is no point. */
  async #summarise(from: number, to: number, reading: Reading): Promise<Summary | null> {
    const { table, column, runKey } = this.source;
    const add = this.#prepare(
      `select count(*), count(${column}), sum(${column}), min(${column}), max(${column}), min(step)
      from ${table} where ${RANGE}`,
    ).raw();
    let whole: Summary | null = null;
    for (let start = from; start <= to; start += SLICE_STEPS) {
      this.#check();
      const [points, count, sum, min, max, first] = add.get(
        runKey,
        start,
        Math.min(start + SLICE_STEPS - 1, to),
      ) as number[];
      await reading.turn();
      if (points === 0) continue;
      whole ??= { first, count: 0, sum: 0, min: Infinity, max: -Infinity, nonfinite: 0 };
      whole.nonfinite += points - count;
      if (count === 0) continue;
      whole.count += count;
      whole.sum += sum;
      whole.min = Math.min(whole.min, min);
      whole.max = Math.max(whole.max, max);
    }
    return whole;
  }

  #check(): void {
    if (!this.source.exists()) throw new Error("the run was deleted while its points were read");
  }

  /** A statement is prepared once for all buckets. */
  #prepare(sql: string): SqliteDatabase.Statement {
    const known = this.#statements.get(sql) ?? this.sqlite.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

const RANGE = "run_key = ? and step between ? and ?";

type Point = [step: number, value: number | null];

/** Keeps the first and the last point of a curve, and what stands out in each bucket between them. */
class Extremes {
  readonly points: Points = { steps: [], values: [] };
  #bucket = 0;
  #min: Point | null = null;
  #max: Point | null = null;
  #nonfinite: Point | null = null;

  constructor(
    private readonly first: number,
    private readonly last: number,
    private readonly width: number,
    private readonly withNonfinite: boolean,
  ) {}

  /** Call it with every point, by ascending step. */
  add(step: number, value: number | null, isRoom: boolean): void {
    if (step === this.first || step === this.last) {
      this.#flush();
      this.#keep([step, value]);
      return;
    }
    if (!isRoom) return;
    const bucket = Math.floor((step - this.first - 1) / this.width);
    if (bucket !== this.#bucket) this.#flush();
    this.#bucket = bucket;
    if (value === null) {
      if (this.withNonfinite) this.#nonfinite ??= [step, value];
      return;
    }
    if (this.#min === null || value < this.#min[1]!) this.#min = [step, value];
    if (this.#max === null || value > this.#max[1]!) this.#max = [step, value];
  }

  #flush(): void {
    const kept = [this.#min, this.#max, this.#nonfinite].filter((point) => point !== null).sort(([a], [b]) => a - b);
    // In a flat bucket the minimum and the maximum are one point.
    kept.forEach((point, i) => point[0] === kept[i - 1]?.[0] || this.#keep(point));
    this.#min = this.#max = this.#nonfinite = null;
  }

  #keep([step, value]: Point): void {
    this.points.steps.push(step);
    this.points.values.push(value);
  }
}
