import SqliteDatabase from "better-sqlite3";
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { syncFolder, writeDurably } from "../data/durable_file.ts";
import type { CheckpointFile } from "../train/protocol.ts";

/** A backup that was not made, with what to do next. */
export class BackupError extends Error {
  override name = "BackupError";
}

export interface BackupReport {
  runs: number;
  datasets: number;
  checkpoints: number;
  /** The size of the files, without the database. */
  bytes: number;
  /** Files, by their path in the data folder, that differ from the hash they were stored with. They are left out. */
  damaged: string[];
}

interface BackupOptions {
  /** A test changes the data folder here: after the database was copied, before the files are. */
  onSnapshot?: (round: number) => void;
}

/** A file that the database names. */
interface NamedFile {
  /** In the data folder, and in the backup. */
  path: string;
  bytes: number;
  sha256: string;
}

const DATABASE = "reverie.db";
/** Kept beside the database. Token shards are not: a run's start makes them again from its text. */
const UNNAMED = ["secret.key", "tuning"];
/** A training run retires a checkpoint now and then, so a file may be gone before it is copied: then all is looked at again. */
const MAX_ROUNDS = 10;

/**
 * Copies a data folder that a server may be using. The database comes first, through SQLite's online backup, then each
 * file that it names, held against its hash; a file that vanished meanwhile begins another round. `target` appears only
 * when it is whole and on disk.
 * @param target must not exist, or be empty
 * @throws {BackupError}
 */
export async function backUp(dataFolder: string, target: string, options: BackupOptions = {}): Promise<BackupReport> {
  const source = resolve(dataFolder);
  const goal = resolve(target);
  checkFolders(source, goal);
  const partial = `${goal}.${randomUUID().slice(0, 8)}.partial`;
  await mkdir(partial, { recursive: true, mode: 0o700 });
  try {
    const report = await fill(source, partial, options);
    await syncTree(partial);
    if (existsSync(goal)) await rmdir(goal);
    await rename(partial, goal);
    await syncFolder(dirname(goal));
    return report;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

function checkFolders(source: string, goal: string): void {
  if (!existsSync(join(source, DATABASE))) throw new BackupError(`${source} is no data folder: it has no ${DATABASE}`);
  if (goal === source || goal.startsWith(source + sep)) {
    throw new BackupError(`${goal} lies in the data folder itself: choose a folder outside it`);
  }
  if (existsSync(goal) && readdirSync(goal).length > 0) {
    throw new BackupError(`${goal} is not empty: choose a folder that does not exist yet`);
  }
}

async function fill(source: string, partial: string, { onSnapshot }: BackupOptions): Promise<BackupReport> {
  const copied = new Set<string>();
  const damaged = new Set<string>();
  for (let round = 1;; round++) {
    await copyDatabase(join(source, DATABASE), join(partial, DATABASE));
    onSnapshot?.(round);
    const { files, ...counts } = readNamedFiles(join(partial, DATABASE));
    const vanished: string[] = [];
    for (const file of files) {
      if (copied.has(file.path) || damaged.has(file.path)) continue;
      const outcome = await copyVerified(source, partial, file);
      if (outcome === "vanished") vanished.push(file.path);
      else (outcome === "copied" ? copied : damaged).add(file.path);
    }
    if (vanished.length > 0 && round < MAX_ROUNDS) continue;

    const named = new Set(files.map(({ path }) => path));
    for (const path of copied) if (!named.has(path)) await rm(join(partial, path)); // retired in a later round
    for (const name of UNNAMED) await copyUnnamed(join(source, name), join(partial, name));
    const left = files.filter(({ path }) => copied.has(path));
    return {
      ...counts,
      bytes: left.reduce((sum, { bytes }) => sum + bytes, 0),
      damaged: [...damaged, ...vanished].filter((path) => named.has(path)).sort(),
    };
  }
}

/** One read of the whole database: a server that writes meanwhile neither waits for it nor makes it begin again. */
async function copyDatabase(from: string, to: string): Promise<void> {
  const database = new SqliteDatabase(from, { fileMustExist: true });
  try {
    database.pragma("busy_timeout = 10000");
    await database.backup(to, { progress: () => 0x7fffffff });
  } finally {
    database.close();
  }
}

/** Asked of the copy: it cannot change. @throws {BackupError} if SQLite finds the copy inconsistent */
function readNamedFiles(path: string): { files: NamedFile[]; runs: number; datasets: number; checkpoints: number } {
  const database = new SqliteDatabase(path);
  try {
    const verdict = database.pragma("integrity_check(1)", { simple: true });
    if (verdict !== "ok") throw new BackupError(`the database is damaged: ${verdict}`);
    type Text = { id: string; bytes: number; sha256: string };
    type Checkpoint = { run_id: string; directory: string; files: string };
    const texts = database.prepare<[], Text>("select id, bytes, sha256 from datasets").all();
    const checkpoints = database.prepare<[], Checkpoint>("select run_id, directory, files from checkpoints").all();
    const files = texts.map(({ id, bytes, sha256 }) => ({ path: join("datasets", `${id}.txt`), bytes, sha256 }));
    for (const { run_id, directory, files: list } of checkpoints) {
      for (const { name, bytes, sha256 } of JSON.parse(list) as CheckpointFile[]) {
        files.push({ path: join("checkpoints", run_id, directory, name), bytes, sha256 });
      }
    }
    const runs = database.prepare<[], number>("select count(*) from runs").pluck().get()!;
    return { files, runs, datasets: texts.length, checkpoints: checkpoints.length };
  } finally {
    database.close(); // the last connection folds the write-ahead log in and removes it
  }
}

async function copyVerified(
  source: string,
  partial: string,
  { path, bytes, sha256 }: NamedFile,
): Promise<"copied" | "vanished" | "damaged"> {
  const to = join(partial, path);
  await mkdir(dirname(to), { recursive: true });
  const hash = createHash("sha256");
  let size = 0;
  try {
    await writeDurably(to, async (append) => {
      for await (const piece of createReadStream(join(source, path), { highWaterMark: 2 ** 20 })) {
        hash.update(piece);
        size += piece.length;
        await append(piece);
      }
    });
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return "vanished";
    throw error;
  }
  if (size === bytes && hash.digest("hex") === sha256) return "copied";
  await rm(to);
  return "damaged";
}

/** Copies a file, or the files of a folder, if it is there. A secret stays readable to its owner alone. */
async function copyUnnamed(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  const names = await readdir(from).catch((error) => {
    if (error.code === "ENOTDIR") return null;
    throw error;
  });
  if (names === null) {
    await copyFile(from, to);
    await chmod(to, 0o600);
    return;
  }
  await mkdir(to, { recursive: true });
  for (const name of names.filter((name) => !name.endsWith(".tmp"))) await copyFile(join(from, name), join(to, name));
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncFolder(folder);
}

/** The line that the command prints. */
export function describeBackup(report: BackupReport, target: string): string {
  const { runs, datasets, checkpoints, bytes } = report;
  const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  const shown = relative(".", target) || target;
  return `Backed up ${count(runs, "run")}, ${count(datasets, "text")} and ${count(checkpoints, "checkpoint")} ` +
    `(${(bytes / 1e6).toFixed(1)} MB of files) to ${shown}. To restore, serve that folder or a copy of it: ` +
    `REVERIE_DATA=${shown}`;
}
