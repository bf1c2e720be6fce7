import { and, count, desc, eq, inArray, lt, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { runs, type RunStatus } from "../db/schema.ts";
import { NotFoundError } from "../errors.ts";

export type RunRow = typeof runs.$inferSelect;

const IN_QUEUE = and(eq(runs.status, "queued"), sql`json_extract(${runs.config}, '$.drive') = 'background'`);

export interface RunFilter {
  statuses?: RunStatus[];
  /** All of them must hold. */
  tags?: [key: string, value: string][];
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

  /** Newest first. */
  list(filter: RunFilter, page: { after: string | null; limit: number }): RunRow[] {
    const { statuses, tags = [] } = filter;
    return this.db.select().from(runs)
      .where(and(
        statuses === undefined ? undefined : inArray(runs.status, statuses),
        page.after === null ? undefined : lt(runs.id, page.after),
        ...tags.map(([key, value]) =>
          sql`exists (select 1 from json_each(${runs.tags}) as tag where tag.key = ${key} and tag.value = ${value})`
        ),
      ))
      .orderBy(desc(runs.id)).limit(page.limit).all();
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

  /** With its metric points, events and checkpoint rows. */
  delete(id: string): void {
    this.db.delete(runs).where(eq(runs.id, id)).run();
  }
}
