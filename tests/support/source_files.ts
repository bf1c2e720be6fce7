import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { ROOT } from "./deno.ts";

/** What a checkout holds beside its own files: packages, history, a server's data. */
const NOT_OURS = new Set(["node_modules", ".git", "data"]);

/** Every file under these folders, as paths from the root with forward slashes. */
export function sourceFiles(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => walk(folder)).sort();
}

/** The files git keeps; all that lie here where there is no git to ask. */
export function trackedFiles(): string[] {
  if (Bun.which("git") === null || !existsSync(`${ROOT}.git`)) return sourceFiles([""]);
  // A checkout may belong to another user than the one who tests it.
  const args = ["-c", "safe.directory=*", "ls-files", "-z"];
  const listed = execFileSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return listed.split("\0").filter((path) => path !== "" && existsSync(ROOT + path));
}

export function readSource(path: string): string {
  return readFileSync(ROOT + path, "utf8");
}

function walk(folder: string): string[] {
  return readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (folder === "" && NOT_OURS.has(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [path];
  });
}
