import { existsSync, renameSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { and, asc, desc, eq, isNotNull, lt } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import { checkpoints } from "../db/schema.ts";
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
   * Adds a checkpoint and forgets those past retention: the newest `keep` and the best by validation loss stay.
   * Call it in a transaction, and `removeFolders` with the second answer once that is committed.
   */
  add(runId: string, written: WrittenCheckpoint, keep: number): { checkpoint: Checkpoint; dropped: Checkpoint[] } {
    const { step, directory, files, train_loss, val_loss } = written;
    // A run that goes on from an older checkpoint comes by the same step again.
    const replaced = this.db.delete(checkpoints)
      .where(and(eq(checkpoints.run_id, runId), eq(checkpoints.step, step))).returning().all()
      .filter((old) => old.directory !== directory);
    const checkpoint = this.db.insert(checkpoints).values({
      id: newId("ckpt"),
      run_id: runId,
      step,
      directory,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      files,
      train_loss,
      val_loss,
      created_at: now(),
    }).returning().get();
    const best = this.bestOf(runId);
    const outdated = this.ofRun(runId).slice(keep).filter(({ id }) => id !== best);
    for (const { id } of outdated) this.#deleteRow(id);
    return { checkpoint, dropped: [...replaced, ...outdated] };
  }

  /** Forgets a checkpoint that is not whole; what there is of its folder stays until the run is deleted. */
  setAside(checkpoint: Checkpoint): void {
    this.#deleteRow(checkpoint.id);
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

  /** Id of the checkpoint with the lowest validation loss, the earliest of equals. */
  bestOf(runId: string): string | undefined {
    return this.db.select({ id: checkpoints.id }).from(checkpoints)
      .where(and(eq(checkpoints.run_id, runId), isNotNull(checkpoints.val_loss)))
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
