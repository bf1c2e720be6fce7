import { existsSync, renameSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { and, asc, desc, eq, isNotNull, lt } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import { checkpoints, damaged_checkpoints } from "../db/schema.ts";
import { NotFoundError } from "../errors.ts";
import type { CheckpointFile } from "../train/protocol.ts";

export type Checkpoint = typeof checkpoints.$inferSelect;

/** What the trainer says of a folder it has written. */
export interface WrittenCheckpoint {
  step: number;
  directory: string;
  files: CheckpointFile[];
  train_loss: number | null;
  val_loss: number | null;
  resume_only: boolean;
}

const SET_ASIDE = ".corrupt";

/**
 * Checkpoints: a row each, and the folder `<root>/<run_id>/<directory>`. Folders are written before their row and
 * removed after it, so a row means that the folder is whole; a folder without a row is an orphan, swept at start.
 */
export class CheckpointStore {
  constructor(private readonly db: Database, private readonly root: string) {}

  /** Receives the folders of one run's checkpoints. */
  runFolder(runId: string): string {
    return join(this.root, runId);
  }

  folder({ run_id, directory }: Pick<Checkpoint, "run_id" | "directory">): string {
    return join(this.root, run_id, directory);
  }

  /**
   * Adds a checkpoint, or a newer folder to the same step's, and forgets those past retention: the newest `keep` and the
   * best by validation loss stay. One that only serves to resume from counts for neither, and goes with the next.
   * Call it in a transaction, and `removeFolders` with what was dropped once that is committed.
   */
  add(
    runId: string,
    written: WrittenCheckpoint,
    keep: number,
  ): { checkpoint: Checkpoint; dropped: Pick<Checkpoint, "run_id" | "directory">[] } {
    const { step, directory, files, train_loss, val_loss, resume_only } = written;
    const ofStep = and(eq(checkpoints.run_id, runId), eq(checkpoints.step, step));
    const before = this.db.select().from(checkpoints).where(ofStep).get();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const content = { directory, bytes, files, train_loss, val_loss, resume_only };
    const checkpoint = this.db.insert(checkpoints)
      .values({ id: this.#idOf(runId, step), run_id: runId, step, created_at: now(), ...content })
      .onConflictDoUpdate({ target: [checkpoints.run_id, checkpoints.step], set: content }).returning().get();
    const best = this.bestOf(runId);
    const others = this.ofRun(runId).filter(({ id }) => id !== checkpoint.id);
    const planned = others.filter((other) => !other.resume_only);
    const outdated = [
      ...others.filter((other) => other.resume_only),
      ...planned.slice(keep - (resume_only ? 0 : 1)).filter(({ id }) => id !== best),
    ];
    for (const { id } of outdated) this.#deleteRow(id);
    const replaced = before && before.directory !== directory ? [before] : [];
    return { checkpoint, dropped: [...replaced, ...outdated] };
  }

  /** A step keeps its id when a damaged checkpoint of it is made again. */
  #idOf(runId: string, step: number): string {
    const damaged = this.db.delete(damaged_checkpoints)
      .where(and(eq(damaged_checkpoints.run_id, runId), eq(damaged_checkpoints.step, step))).returning().get();
    return damaged?.checkpoint_id ?? newId("ckpt");
  }

  /** Forgets a checkpoint that is not whole; what there is of its folder stays until the run is deleted. */
  setAside(checkpoint: Checkpoint): void {
    const { id: checkpoint_id, run_id, step } = checkpoint;
    this.#deleteRow(checkpoint_id);
    this.db.insert(damaged_checkpoints).values({ run_id, step, checkpoint_id }).onConflictDoNothing().run();
    const folder = this.folder(checkpoint);
    if (existsSync(folder)) renameSync(folder, folder + SET_ASIDE);
  }

  async removeFolders(dropped: Pick<Checkpoint, "run_id" | "directory">[]): Promise<void> {
    for (const checkpoint of dropped) await rm(this.folder(checkpoint), { recursive: true, force: true });
  }

  async removeRunFolder(runId: string): Promise<void> {
    await rm(this.runFolder(runId), { recursive: true, force: true });
  }

  /** By descending step. */
  ofRun(runId: string): Checkpoint[] {
    return this.db.select().from(checkpoints).where(eq(checkpoints.run_id, runId)).orderBy(desc(checkpoints.step))
      .all();
  }

  /** By descending step; `after` is the step of the last one seen. */
  list(runId: string, page: { after: number | null; limit: number }): Checkpoint[] {
    return this.db.select().from(checkpoints)
      .where(and(eq(checkpoints.run_id, runId), page.after === null ? undefined : lt(checkpoints.step, page.after)))
      .orderBy(desc(checkpoints.step)).limit(page.limit).all();
  }

  newestOf(runId: string): Checkpoint | undefined {
    return this.db.select().from(checkpoints)
      .where(eq(checkpoints.run_id, runId)).orderBy(desc(checkpoints.step)).limit(1).get();
  }

  /** Id of the checkpoint with the lowest validation loss, the earliest of equals, of those that the run's plan has. */
  bestOf(runId: string): string | undefined {
    return this.db.select({ id: checkpoints.id }).from(checkpoints)
      .where(and(
        eq(checkpoints.run_id, runId),
        isNotNull(checkpoints.val_loss),
        eq(checkpoints.resume_only, false),
      ))
      .orderBy(asc(checkpoints.val_loss), asc(checkpoints.step)).limit(1).get()?.id;
  }

  /** @throws {NotFoundError} */
  get(id: string): Checkpoint {
    const checkpoint = this.db.select().from(checkpoints).where(eq(checkpoints.id, id)).get();
    if (!checkpoint) throw new NotFoundError("checkpoint", id);
    return checkpoint;
  }

  async remove(id: string): Promise<void> {
    const checkpoint = this.get(id);
    this.#deleteRow(id);
    await this.removeFolders([checkpoint]);
  }

  /**
   * At start, before anything trains: forgets rows whose folder is gone, which it gives, and removes folders that no
   * row knows.
   * @param isBusy whether another machine may be writing this run's folders
   */
  async sweep(isBusy: (runId: string) => boolean): Promise<Checkpoint[]> {
    const known = new Set<string>();
    const gone: Checkpoint[] = [];
    for (const checkpoint of this.db.select().from(checkpoints).all()) {
      if (existsSync(this.folder(checkpoint))) known.add(this.folder(checkpoint));
      else gone.push(checkpoint);
    }
    for (const runId of await readdir(this.root)) {
      if (isBusy(runId)) continue;
      for (const directory of await readdir(this.runFolder(runId))) {
        const path = join(this.runFolder(runId), directory);
        if (!known.has(path) && !path.endsWith(SET_ASIDE)) await rm(path, { recursive: true, force: true });
      }
    }
    return gone;
  }

  #deleteRow(id: string): void {
    this.db.delete(checkpoints).where(eq(checkpoints.id, id)).run();
  }
}
