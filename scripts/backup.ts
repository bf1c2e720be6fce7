/** `deno task backup DIR`: copies the data folder, whether a server uses it or not. */
import { parseArgs } from "node:util";
import { backUp, BackupError, describeBackup } from "../src/runs/backup.ts";

const USAGE =
  "usage: deno task backup DIR    (DIR must not exist yet; REVERIE_DATA names the data folder, ./data if unset)";

function readTarget(args: string[]): string | null {
  try {
    const { positionals } = parseArgs({ args, allowPositionals: true });
    return positionals.length === 1 ? positionals[0] : null;
  } catch {
    return null; // an option: there are none
  }
}

const target = readTarget(Deno.args);
if (target === null) {
  console.error(USAGE);
  Deno.exit(2);
}
try {
  const report = await backUp(Deno.env.get("REVERIE_DATA") || "./data", target);
  console.log(describeBackup(report, target));
  for (const path of report.damaged) console.error(`left out, because it is damaged or missing: ${path}`);
  Deno.exit(report.damaged.length > 0 ? 1 : 0);
} catch (error) {
  const code = (error as { code?: unknown }).code;
  if (!(error instanceof BackupError) && typeof code !== "string") throw error;
  console.error(`No backup was made: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
