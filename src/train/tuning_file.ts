import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeDurably } from "../data/durable_file.ts";
import type { AdapterIdentity } from "../gpu/device.ts";
import { type Finding, idOf } from "./tuner.ts";

/** What tuners found on an adapter with one version of its driver, in a file of its own: only ever a help, never needed. */

type Adapter = Pick<AdapterIdentity, "name" | "driver">;

const TuningFile = z.object({
  format: z.literal(1),
  adapter: z.string(),
  driver: z.string(),
  findings: z.array(z.object({
    key: z.string(),
    variant: z.string(),
    code: z.string(),
    speedup: z.number().nullable(),
  })),
});

/** Shapes come and go with the models that are tried: the oldest findings go first. */
const MOST_FINDINGS = 5000;

export interface Remembered {
  findings: Finding[];
  /** Why the file there could not be used. */
  note: string | null;
}

export async function readFindings(folder: string, adapter: Adapter): Promise<Remembered> {
  const ignored = (why: string): Remembered => ({ findings: [], note: `${nameOf(adapter)} was ignored: ${why}` });
  let text: string;
  try {
    text = await readFile(join(folder, nameOf(adapter)), "utf8");
  } catch (error) {
    return codeOf(error) === "ENOENT" ? { findings: [], note: null } : ignored(codeOf(error));
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return ignored("it is not JSON");
  }
  const { success, data } = TuningFile.safeParse(json);
  if (!success) return ignored("it is no tuning file of format 1");
  const { adapter: name, driver, findings } = data;
  if (name !== adapter.name || driver !== adapter.driver) return ignored("it is another adapter's");
  return { findings, note: null };
}

/** Adds to what is known. Says why where it cannot; that is never fatal. */
export async function writeFindings(
  folder: string,
  adapter: Adapter,
  known: readonly Finding[],
  more: readonly Finding[],
): Promise<string | null> {
  const findings = [...new Map([...known, ...more].map((finding) => [idOf(finding), finding])).values()];
  const content = {
    format: 1,
    adapter: adapter.name,
    driver: adapter.driver,
    findings: findings.slice(-MOST_FINDINGS),
  } satisfies z.input<typeof TuningFile>;
  try {
    await mkdir(folder, { recursive: true });
    await writeDurably(
      join(folder, nameOf(adapter)),
      (append) => append(new TextEncoder().encode(JSON.stringify(content, null, 1) + "\n")),
    );
    return null;
  } catch (error) {
    return `${nameOf(adapter)} could not be written: ${codeOf(error)}`;
  }
}

function nameOf({ name, driver }: Adapter): string {
  return `adapter-${createHash("sha256").update(`${name}\0${driver}`).digest("hex").slice(0, 12)}.json`;
}

/** `EACCES` and the like: messages name paths. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "it failed";
}
