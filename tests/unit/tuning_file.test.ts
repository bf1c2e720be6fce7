import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Finding } from "#src/train/tuner.ts";
import { readFindings, writeFindings } from "#src/train/tuning_file.ts";

const ADAPTER = { name: "a card", driver: "1.0" };
const FINDINGS: Finding[] = [
  { key: "matmul_nt 8×8×8: vectors f32", variant: "large", code: "0123", speedup: 1.25 },
  { key: "matmul_nt 8×8×8: vectors f32", variant: "wrong", code: "4567", speedup: null },
];

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "reverie-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes over the one file there. */
function overwrite(text: string): void {
  const [file] = readdirSync(folder);
  writeFileSync(join(folder, file), text);
}

test("what is found is read again", async () => {
  expect(await readFindings(folder, ADAPTER)).toEqual({ findings: [], note: null });
  expect(await writeFindings(folder, ADAPTER, [], FINDINGS)).toBeNull();
  expect(await readFindings(folder, ADAPTER)).toEqual({ findings: FINDINGS, note: null });
});

test("a later finding of the same program takes the place of an earlier one; of another it stands beside it", async () => {
  const [first, second] = FINDINGS;
  const [later, changed] = [{ ...first, speedup: 1.5 }, { ...first, code: "89ab" }];
  await writeFindings(folder, ADAPTER, FINDINGS, [later, changed]);
  expect((await readFindings(folder, ADAPTER)).findings).toEqual([later, second, changed]);
});

test("another adapter, and another driver, has a file of its own", async () => {
  await writeFindings(folder, ADAPTER, [], FINDINGS);
  for (const other of [{ ...ADAPTER, name: "another card" }, { ...ADAPTER, driver: "1.1" }]) {
    expect(await readFindings(folder, other)).toEqual({ findings: [], note: null });
    await writeFindings(folder, other, [], []);
  }
  expect(readdirSync(folder)).toHaveLength(3);
  expect((await readFindings(folder, ADAPTER)).findings).toEqual(FINDINGS);
});

test.each([
  ["cut", '{"format": 1, "adapter"', "it is not JSON"],
  ["empty", "", "it is not JSON"],
  ["of another format", '{"format": 2}', "it is no tuning file of format 1"],
  ["another adapter's", '{"format": 1, "adapter": "x", "driver": "1.0", "findings": []}', "it is another adapter's"],
  [
    "wrong within",
    '{"format": 1, "adapter": "a card", "driver": "1.0", "findings": [{"key": 1}]}',
    "it is no tuning file of format 1",
  ],
])("a file that is %s is ignored, and written anew", async (_, text, why) => {
  await writeFindings(folder, ADAPTER, [], []);
  overwrite(text);
  const { findings, note } = await readFindings(folder, ADAPTER);
  expect(findings).toEqual([]);
  expect(note).toMatch(new RegExp(`^adapter-[0-9a-f]{12}\\.json was ignored: ${why}$`));
  expect(await writeFindings(folder, ADAPTER, findings, FINDINGS)).toBeNull();
  expect(await readFindings(folder, ADAPTER)).toEqual({ findings: FINDINGS, note: null });
});

test("where no file can be, that is said and nothing more", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(await writeFindings(file, ADAPTER, [], FINDINGS)).toMatch(/^adapter-\w+\.json could not be written: E[A-Z]+$/);
  expect((await readFindings(file, ADAPTER)).findings).toEqual([]);
});

test("a file does not grow for ever: the oldest go first", async () => {
  const many = Array.from({ length: 5001 }, (_, i) => ({ ...FINDINGS[0], code: String(i) }));
  await writeFindings(folder, ADAPTER, many, []);
  const { findings } = await readFindings(folder, ADAPTER);
  expect(findings).toHaveLength(5000);
  expect(findings[0].code).toBe("1");
});
