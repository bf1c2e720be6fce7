import { and, asc, count, desc, eq, gt, gte, lt, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { runs, type RunStatus } from "../db/schema.ts";
import { NotFoundError } from "../errors.ts";
import { type RunConfig, workloadOf } from "../train/config.ts";

export type RunRow = typeof runs.$inferSelect;

/** The first steps compile. */
const SETTLED_STEPS = 10;
/** Among these a run of the same shape is looked for. */
const LATEST_RUNS = 50;

const IN_QUEUE = and(eq(runs.status, "queued"), sql`json_extract(${runs.config}, '$.drive') = 'background'`);

export interface RunFilter {
  statuses?: RunStatus[];
  /** All of them must hold. */
  tags?: [key: string, value: string][];
  /** Part of the name; ASCII letters in either case. */
  q?: string;
}

interface Page {
  after: string | null;
  limit: number;
  /** By creation; newest first by default. */
  order?: "asc" | "desc";
}

/** Reads and plain updates of runs; what they live through is the `Runner`'s. */
export class RunStore {
  readonly #unwritten = new Map<string, Partial<RunRow>>();

  constructor(private readonly db: Database) {}

  /** What is true of a run and cannot be written, until `forget`. */
  overlay(id: string, changes: Partial<RunRow>): void {
    this.#unwritten.set(id, changes);
  }

  /** A row as it should be shown. */
  complete(run: RunRow): RunRow {
    return { ...run, ...this.#unwritten.get(run.id) };
  }

  forget(id: string): void {
    this.#unwritten.delete(id);
  }

  find(id: string): RunRow | undefined {
    return this.db.select().from(runs).where(eq(runs.id, id)).get();
  }

  /** @throws {NotFoundError} */
  get(id: string): RunRow {
    const run = this.find(id);
    if (!run) throw new NotFoundError("run", id);
    return run;
  }

  list({ statuses, tags = [], q }: RunFilter, { after, limit, order = "desc" }: Page): RunRow[] {
    const isDescending = order === "desc";
    // The index has each status by id. Of several, SQLite would sort all runs: the first of each are merged instead.
    const ofEach = (statuses === undefined ? [undefined] : [...new Set(statuses)]).map((status) =>
      this.db.select().from(runs)
        .where(and(
          status === undefined ? undefined : eq(runs.status, status),
          after === null ? undefined : (isDescending ? lt : gt)(runs.id, after),
          q === undefined ? undefined : sql`instr(lower(${runs.name}), lower(${q})) > 0`,
          ...tags.map(([key, value]) =>
            sql`exists (select 1 from json_each(${runs.tags}) as tag where tag.key = ${key} and tag.value = ${value})`
          ),
        ))
        .orderBy(isDescending ? desc(runs.id) : asc(runs.id)).limit(limit).all()
    );
    if (ofEach.length === 1) return ofEach[0];
    return ofEach.flat().sort((a, b) => (a.id < b.id) === isDescending ? 1 : -1).slice(0, limit);
  }

  /** In the order they were asked for. */
  withStatus(status: RunStatus): RunRow[] {
    return this.db.select().from(runs).where(eq(runs.status, status)).orderBy(runs.id).all();
  }

  /** The head of the queue; runs that are driven from outside do not stand in it. */
  nextQueued(): RunRow | undefined {
    return this.db.select().from(runs).where(IN_QUEUE).orderBy(desc(runs.priority), runs.id).limit(1).get();
  }

  queueLength(): number {
    return this.db.select({ length: count() }).from(runs).where(IN_QUEUE).get()?.length ?? 0;
  }

  /**
   * How long a step took at the end of the newest run here that did the same work in a step; null if there was none among
   * the latest. Ms.
   */
  measuredStepMs(config: RunConfig, device: string): number | null {
    const wanted = workOf(config);
    const latest = this.db.select({ config: runs.config, last_metrics: runs.last_metrics }).from(runs)
      .where(and(eq(runs.device, device), gte(runs.step, SETTLED_STEPS))).orderBy(desc(runs.id)).limit(LATEST_RUNS)
      .all();
    const same = latest.find((run) => run.last_metrics?.["train/step_ms"] && workOf(run.config) === wanted);
    return same?.last_metrics?.["train/step_ms"] ?? null;
  }

  waitingForStorage(): RunRow[] {
    return this.db.select().from(runs)
      .where(and(eq(runs.status, "paused"), eq(runs.waits_for_storage, true))).orderBy(runs.id).all();
  }

  insert(run: typeof runs.$inferInsert): RunRow {
    return this.db.insert(runs).values(run).returning().get();
  }

  /** @throws {NotFoundError} */
  update(id: string, changes: Partial<typeof runs.$inferInsert>): RunRow {
    const run = this.db.update(runs).set(changes).where(eq(runs.id, id)).returning().get();
    if (!run) throw new NotFoundError("run", id);
    return run;
  }

  /** With its checkpoint rows; `Removals` take its points and events. */
  delete(id: string): void {
    this.db.delete(runs).where(eq(runs.id, id)).run();
  }
}

/** The part of a configuration that decides how long a step takes. */
function workOf(config: RunConfig): string {
  return JSON.stringify(workloadOf(config));
}
