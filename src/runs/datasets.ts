import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { and, count, desc, eq, inArray, lt } from "drizzle-orm";
import { hasHiddenCharacters } from "../data/client_text.ts";
import { InvalidUtf8Error, storeText, TextTooLargeError } from "../data/text_store.ts";
import { isId, newId, now } from "../db/ids.ts";
import type { Database } from "../db/client.ts";
import { dataset_names, datasets, runs } from "../db/schema.ts";
import type { EventLog } from "./event_log.ts";
import { BadRequestError, ConflictError, NotFoundError, PayloadTooLargeError, UnprocessableError } from "../errors.ts";

type DatasetRow = typeof datasets.$inferSelect;
export interface Dataset extends DatasetRow {
  /** All that find it, the first one first. */
  names: string[];
}

/** The corpus that needs no upload; it cannot be deleted. */
export const SAMPLE_DATASET = "sample";
/** Of one text. */
const MAX_NAMES = 100;

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
  constructor(
    private readonly db: Database,
    private readonly events: EventLog,
    private readonly folder: string,
    private readonly tokensFolder: string,
  ) {}

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
   * Makes an upload a dataset, or finds the one with the same bytes, which then has this name too. Synchronous, so two
   * uploads of one text cannot both become one. Where `created` is false or it throws, the upload is still the caller's
   * to `discard`.
   */
  admit(upload: Upload, name: string): { dataset: Dataset; created: boolean } {
    if (upload.bytes === 0) throw new UnprocessableError("the text is empty: send at least one character");
    return this.db.transaction(() => {
      const same = this.db.select().from(datasets).where(eq(datasets.sha256, upload.sha256)).get();
      const taken = this.#idOf(name);
      if (taken !== undefined && taken !== same?.id) {
        throw new ConflictError(
          `the name "${name}" belongs to ${taken}, whose text differs: choose another, or delete that one`,
        );
      }
      if (same) {
        if (taken === undefined) this.#addName(name, same.id);
        return { dataset: this.get(same.id), created: false };
      }
      const dataset = this.#insert(upload, name);
      const { id, bytes, characters, documents } = dataset;
      this.events.append(null, "dataset.created", { id, name, bytes, characters, documents });
      return { dataset, created: true };
    });
  }

  #insert({ id, sha256, bytes, characters, distinctCharacters }: Upload, name: string): Dataset {
    const row: DatasetRow = {
      id,
      name,
      sha256,
      bytes,
      characters,
      distinct_characters: distinctCharacters,
      documents: 1,
      created_at: now(),
    };
    this.db.insert(datasets).values(row).run();
    this.#addName(name, id);
    return { ...row, names: [name] };
  }

  #addName(name: string, id: string): void {
    const names = this.db.select({ names: count() }).from(dataset_names).where(eq(dataset_names.dataset_id, id)).get()!;
    if (names.names >= MAX_NAMES) {
      throw new ConflictError(`${id} has ${MAX_NAMES} names already, the most there may be`);
    }
    this.db.insert(dataset_names).values({ name, dataset_id: id, created_at: now() }).run();
  }

  #idOf(name: string): string | undefined {
    return this.db.select({ id: dataset_names.dataset_id }).from(dataset_names).where(eq(dataset_names.name, name))
      .get()?.id;
  }

  async discard(upload: Upload): Promise<void> {
    await rm(this.path(upload.id), { force: true });
  }

  find(idOrName: string): Dataset | undefined {
    const id = isId("ds", idOrName) ? idOrName : this.#idOf(idOrName);
    if (id === undefined) return undefined;
    return this.#named(this.db.select().from(datasets).where(eq(datasets.id, id)).all())[0];
  }

  #named(rows: DatasetRow[]): Dataset[] {
    const all = this.db.select().from(dataset_names)
      .where(inArray(dataset_names.dataset_id, rows.map(({ id }) => id))).all()
      .toSorted((a, b) => a.created_at === b.created_at ? 0 : a.created_at < b.created_at ? -1 : 1);
    return rows.map((row) => {
      const others = all.filter(({ dataset_id, name }) => dataset_id === row.id && name !== row.name);
      return { ...row, names: [row.name, ...others.map(({ name }) => name)] };
    });
  }

  /** @throws {NotFoundError} */
  get(idOrName: string): Dataset {
    const dataset = this.find(idOrName);
    if (!dataset) throw new NotFoundError("dataset", idOrName);
    return dataset;
  }

  /** Newest first. */
  list(page: { after: string | null; limit: number }): Dataset[] {
    return this.#named(
      this.db.select().from(datasets)
        .where(page.after === null ? undefined : lt(datasets.id, page.after))
        .orderBy(desc(datasets.id)).limit(page.limit).all(),
    );
  }

  /** With all its names. @throws {ConflictError} while a run that is not finished uses it */
  async remove(idOrName: string): Promise<void> {
    const { id, name, names, sha256 } = this.get(idOrName);
    if (names.includes(SAMPLE_DATASET)) {
      throw new ConflictError(`"${SAMPLE_DATASET}" is always there and cannot be deleted`);
    }
    const user = this.db.select({ id: runs.id, status: runs.status }).from(runs)
      .where(and(eq(runs.dataset_id, id), inArray(runs.status, ["queued", "running", "paused"]))).get();
    if (user) throw new ConflictError(`${user.id} (${user.status}) uses the dataset: cancel it, or let it finish`);
    this.db.transaction(() => {
      this.db.delete(datasets).where(eq(datasets.id, id)).run();
      this.events.append(null, "dataset.deleted", { id, name, names });
    });
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
    const same = this.db.select({ id: datasets.id }).from(datasets).where(eq(datasets.sha256, upload.sha256)).get();
    if (same) {
      this.#addName(SAMPLE_DATASET, same.id); // somebody had uploaded what is this version's sample
      await this.discard(upload);
    } else {
      this.db.transaction(() => this.#insert(upload, SAMPLE_DATASET));
    }
  }
}

/** Names live beside ids in one URL space, where clients resolve `.` and `..` away before they send. */
export function isDatasetName(name: string): boolean {
  return name !== "." && name !== ".." && /^[^\s/](?:[^/]{0,98}[^\s/])?$/u.test(name) && !hasHiddenCharacters(name) &&
    !isId("ds", name);
}
