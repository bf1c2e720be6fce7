import { readdirSync, readFileSync } from "node:fs";
import { ROOT } from "./deno.ts";

/** What a checkout holds beside its own files: packages, history, a server's data. */
const NOT_OURS = new Set(["node_modules", ".git", "data"]);

/** Every file of the checkout under these folders, or all of it, as paths from the root with forward slashes. */
export function sourceFiles(folders: readonly string[] = [""]): string[] {
  return folders.flatMap((folder) => walk(folder)).sort();
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
