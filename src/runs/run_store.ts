import { and, desc, eq, inArray, lt, sql } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { runs, type RunStatus } from "../db/schema.ts";
import { NotFoundError } from "../errors.ts";

export type RunRow = typeof runs.$inferSelect;

export interface RunFilter {
  statuses?: RunStatus[];
  tags?: Record<string, string>;
}

/** Reads and plain updates of runs; what they live through is the `Runner`'s. */
export class RunStore {
  constructor(private readonly db: Database) {}

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
    const { statuses, tags = {} } = filter;
    return this.db.select().from(runs)
      .where(and(
        statuses === undefined ? undefined : inArray(runs.status, statuses),
        page.after === null ? undefined : lt(runs.id, page.after),
        ...Object.entries(tags).map(([key, value]) =>
          sql`exists (select 1 from json_each(${runs.tags}) as tag where tag.key = ${key} and tag.value = ${value})`
        ),
      ))
      .orderBy(desc(runs.id)).limit(page.limit).all();
  }

  /** In the order they were asked for. */
  withStatus(status: RunStatus): RunRow[] {
    return this.db.select().from(runs).where(eq(runs.status, status)).orderBy(runs.id).all();
  }

  /** The head of the queue. */
  nextQueued(): RunRow | undefined {
    return this.db.select().from(runs).where(eq(runs.status, "queued")).orderBy(runs.id).limit(1).get();
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
