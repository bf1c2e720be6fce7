import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Where this is set, the process is in a namespace of its own already. */
const MARK = "REVERIE_FAULT_NAMESPACE";

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

/** A file system of its own in memory, in a new folder. Keep it with `using`. */
export class SmallDisk implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "reverie-disk-"));

  /** @throws Error where this process may not mount */
  constructor(megabytes: number) {
    try {
      run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", this.folder);
    } catch (error) {
      rmSync(this.folder, { recursive: true });
      throw error;
    }
  }

  [Symbol.dispose](): void {
    run("umount", "--lazy", this.folder);
    rmSync(this.folder, { recursive: true });
  }
}

/**
 * Makes a folder read-only, for root too, as far as it is not open already; the answer undoes that. The mount is made
 * read-only before it covers the folder: one through which a server has just opened a file to write is busy. For the
 * same reason it is taken away lazily.
 */
export function makeReadOnly(folder: string): () => void {
  const staging = mkdtempSync(join(tmpdir(), "reverie-read-only-"));
  run("mount", "--bind", folder, staging);
  try {
    run("mount", "-o", "remount,bind,ro", staging);
    run("mount", "--bind", staging, folder); // a bind mount takes over the flags of what it binds
  } finally {
    run("umount", "--lazy", staging);
    rmdirSync(staging);
  }
  return () => run("umount", "--lazy", folder);
}

export function canMount(): boolean {
  try {
    using _ = new SmallDisk(1);
    return true;
  } catch (error) {
    if (process.env[MARK] !== undefined) throw error; // a namespace that does not help either
    return false;
  }
}

/** Runs a test file again where its user is root of a namespace and may mount. @throws with its output where it fails */
export function testInNamespace(path: string): void {
  const { status, stdout, stderr, error } = spawnSync("unshare", ["-rm", process.execPath, "test", "--isolate", path], {
    encoding: "utf8",
    env: { ...process.env, [MARK]: "1" },
  });
  if (status !== 0) throw new Error(`in a namespace: ${error?.message ?? ""}\n${stdout}${stderr}`);
}
