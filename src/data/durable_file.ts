import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Appends all of `bytes` to the file being written. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/**
 * Creates or replaces the file at `path` so that it is only ever seen whole, whatever is killed in between:
 * temporary file beside it, fsync, rename, fsync of the folder. `write` fills the file through `append`;
 * where it throws, the temporary file is removed, `path` keeps what it had and the error goes on.
 */
export async function writeDurably<T>(path: string, write: (append: Append) => Promise<T>): Promise<T> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = await open(temporary, "wx");
  try {
    let result: T;
    try {
      result = await write((bytes) => appendAll(file, bytes));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes creations, renames and removals in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function appendAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten;
}
