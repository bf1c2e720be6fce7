import { mkdirSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isStorageError } from "../data/storage_error.ts";
import type { Log } from "../log.ts";

/** Enough for the database to write down why nothing can be written any more. */
const RESERVE_BYTES = 2 ** 20;
/** What beside a checkpoint must be free before a run that waits for space goes on. */
const HEADROOM_BYTES = 4 * RESERVE_BYTES;

/** The disk under the data folder: a reserve for when it is full, and whether it takes a checkpoint again. */
export class Storage {
  readonly #reserve: string;

  constructor(folder: string, private readonly log: Log) {
    this.#reserve = join(folder, "reserve");
  }

  /** Sets the reserve aside, where it is not and where there is room for it. */
  keepReserve(): void {
    try {
      if (statSync(this.#reserve, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return;
      // Not zeros: a file system may leave them out.
      writeFileSync(this.#reserve, new Uint8Array(RESERVE_BYTES).fill(0x52), { flush: true });
    } catch (error) {
      if (!isStorageError(error)) throw error;
      this.log.warn({ err: error }, "no room for the reserve");
      rmSync(this.#reserve, { force: true });
    }
  }

  /** Gives the reserve to whoever needs space; false where it is given away already. */
  giveReserve(): boolean {
    try {
      rmSync(this.#reserve);
      return true;
    } catch {
      return false; // gone, or the folder cannot be written: either way there is none
    }
  }

  /**
   * Whether a folder takes a checkpoint of so many bytes.
   * @throws what the system says where it does not
   */
  probe(folder: string, bytes: number): void {
    const file = join(folder, "probe.tmp");
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(file, new Uint8Array(4096), { flush: true });
    } finally {
      rmSync(file, { force: true });
    }
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < bytes + HEADROOM_BYTES) {
      throw Object.assign(new Error(`${bytes + HEADROOM_BYTES} bytes are needed`), { code: "ENOSPC" });
    }
  }
}
