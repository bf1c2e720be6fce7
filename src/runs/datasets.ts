import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { and, desc, eq, inArray, lt, or } from "drizzle-orm";
import { InvalidUtf8Error, storeText, TextTooLargeError } from "../data/text_store.ts";
import { isId, newId, now } from "../db/ids.ts";
import type { Database } from "../db/client.ts";
import { datasets, runs } from "../db/schema.ts";
import { BadRequestError, ConflictError, NotFoundError, PayloadTooLargeError, UnprocessableError } from "../errors.ts";

export type Dataset = typeof datasets.$inferSelect;

/** The corpus that needs no upload; it cannot be deleted. */
export const SAMPLE_DATASET = "sample";

/** A text on disk that no row knows yet: `admit` or `discard` it. */
export interface Upload {
  id: string;
  sha256: string;
  bytes: number;
  characters: number;
  distinctCharacters: number;
}

/** Texts to train on: a row in the database, the bytes in `<folder>/<id>.txt`. */
export class DatasetStore {
  /** @param tokensFolder holds the token shards made of the texts, each named by its text's hash */
  constructor(private readonly db: Database, private readonly folder: string, private readonly tokensFolder: string) {}

  path(id: string): string {
    return join(this.folder, `${id}.txt`);
  }

  /** Streams a text to disk. Nothing is left where it is refused or where the client goes away. */
  async receive(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Upload> {
    const id = newId("ds");
    try {
      return { id, ...await storeText(source, this.path(id), { maxBytes }) };
    } catch (error) {
      if (error instanceof InvalidUtf8Error) throw new BadRequestError(error.message);
      if (error instanceof TextTooLargeError) throw new PayloadTooLargeError(error.maxBytes);
      throw error;
    }
  }

  /**
   * Makes an upload a dataset, or finds the one with the same bytes. Synchronous, so two uploads of one text cannot
   * both become one. Where `created` is false or it throws, the upload is still the caller's to `discard`.
   */
  admit(upload: Upload, name: string): { dataset: Dataset; created: boolean } {
    if (upload.bytes === 0) throw new UnprocessableError("the text is empty: send at least one character");
    const same = this.db.select().from(datasets).where(eq(datasets.sha256, upload.sha256)).get();
    if (same) return { dataset: same, created: false };
    const taken = this.db.select().from(datasets).where(eq(datasets.name, name)).get();
    if (taken) {
      throw new ConflictError(
        `the name "${name}" belongs to ${taken.id}, whose text differs: choose another, or delete that one`,
      );
    }
    const dataset: Dataset = {
      id: upload.id,
      name,
      sha256: upload.sha256,
      bytes: upload.bytes,
      characters: upload.characters,
      distinct_characters: upload.distinctCharacters,
      documents: 1,
      created_at: now(),
    };
    this.db.insert(datasets).values(dataset).run();
    return { dataset, created: true };
  }

  async discard(upload: Upload): Promise<void> {
    await rm(this.path(upload.id), { force: true });
  }

  find(idOrName: string): Dataset | undefined {
    return this.db.select().from(datasets).where(or(eq(datasets.id, idOrName), eq(datasets.name, idOrName))).get();
  }

  /** @throws {NotFoundError} */
  get(idOrName: string): Dataset {
    const dataset = this.find(idOrName);
    if (!dataset) throw new NotFoundError("dataset", idOrName);
    return dataset;
  }

  /** Newest first. */
  list(page: { after: string | null; limit: number }): Dataset[] {
    return this.db.select().from(datasets)
      .where(page.after === null ? undefined : lt(datasets.id, page.after))
      .orderBy(desc(datasets.id)).limit(page.limit).all();
  }

  /** @throws {ConflictError} while a run that is not finished uses it */
  async remove(idOrName: string): Promise<void> {
    const { id, name, sha256 } = this.get(idOrName);
    if (name === SAMPLE_DATASET) throw new ConflictError(`"${SAMPLE_DATASET}" is always there and cannot be deleted`);
    const user = this.db.select({ id: runs.id, status: runs.status }).from(runs)
      .where(and(eq(runs.dataset_id, id), inArray(runs.status, ["queued", "running", "paused"]))).get();
    if (user) throw new ConflictError(`${user.id} (${user.status}) uses the dataset: cancel it, or let it finish`);
    this.db.delete(datasets).where(eq(datasets.id, id)).run();
    await rm(this.path(id), { force: true });
    for (const shard of await readdir(this.tokensFolder)) {
      if (shard.startsWith(sha256)) await rm(join(this.tokensFolder, shard), { force: true });
    }
  }

  /** At start: removes texts whose upload never became a row, and makes the sample where there is none. */
  async prepare(sampleText: () => AsyncIterable<Uint8Array>): Promise<void> {
    const known = new Set(this.db.select({ id: datasets.id }).from(datasets).all().map(({ id }) => `${id}.txt`));
    for (const name of await readdir(this.folder)) {
      if (!known.has(name)) await rm(join(this.folder, name), { force: true });
    }
    if (this.find(SAMPLE_DATASET)) return;
    const upload = await this.receive(sampleText(), Infinity);
    const { created } = this.admit(upload, SAMPLE_DATASET);
    if (!created) throw new Error("the sample's text is stored under another name");
  }
}

/** Names live beside ids in one URL space, where clients resolve `.` and `..` away before they send. */
export function isDatasetName(name: string): boolean {
  return name !== "." && name !== ".." && /^[^\s/\p{Cc}](?:[^/\p{Cc}]{0,98}[^\s/\p{Cc}])?$/u.test(name) &&
    !isId("ds", name);
}
