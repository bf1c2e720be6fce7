import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { backUp, BackupError, describeBackup } from "#src/runs/backup.ts";
import { type CheckpointStore } from "#src/runs/checkpoint_store.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
let outside: string;
let target: string;
let runId: string;
beforeEach(async () => {
  fixture = await Fixture.open();
  outside = mkdtempSync(join(tmpdir(), "reverie-backup-"));
  target = join(outside, "backup");
  runId = await fixture.run({ checkpoint: { keep: 2 } });
  fixture.trainer.started();
});
afterEach(async () => {
  await fixture.close();
  rmSync(outside, { recursive: true, force: true });
});

const store = (): CheckpointStore => fixture.reverie.checkpoints;

/** A checkpoint with real files. */
function addCheckpoint(step: number): string {
  const directory = `step-${step}`;
  const files = ["model.safetensors", "trainer_state.json"].map((name) => {
    const bytes = new TextEncoder().encode(`${name} of step ${step}`);
    const path = join(store().runFolder(runId), directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return { name, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const { dropped } = store().add(
    runId,
    { step, directory, files, train_loss: 1, val_loss: null, resume_only: false },
    2,
  );
  for (const { directory } of dropped) rmSync(join(store().runFolder(runId), directory), { recursive: true });
  return directory;
}

/** Path → content of every file of a folder, the database left out. */
function contentOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile() && !name.startsWith("reverie.db"));
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

test("a backup has the database and every file that it names, and nothing else", async () => {
  addCheckpoint(0);
  addCheckpoint(10);
  writeFileSync(join(store().runFolder(runId), "step-20.tmp"), "not whole yet");
  const report = await backUp(fixture.folder, target);
  expect(report).toMatchObject({ runs: 1, datasets: 1, checkpoints: 2, damaged: [] });
  expect(describeBackup(report, target)).toContain("1 run, 1 text and 2 checkpoints");

  const here = contentOf(fixture.folder);
  const expected = Object.keys(here).filter((name) =>
    /^(datasets|checkpoints|secret\.key)/.test(name) && !name.endsWith("tmp")
  );
  expect(expected.length).toBe(6);
  const there = contentOf(target);
  expect(Object.keys(there)).toEqual(expected);
  for (const name of expected) expect(there[name]).toBe(here[name]);
  expect(statSync(join(target, "secret.key")).mode & 0o077).toBe(0);
  expect(statSync(target).mode & 0o077).toBe(0);
  const copy = new SqliteDatabase(join(target, "reverie.db"), { readonly: true });
  expect(copy.prepare("select id, status from runs").all()).toEqual([{ id: runId, status: "running" }]);
  copy.close();
  expect(readdirSync(outside)).toEqual(["backup"]);
});

test("what a run retires while it is copied begins another round, and none of it stays", async () => {
  addCheckpoint(0);
  addCheckpoint(10);
  let rounds = 0;
  const report = await backUp(fixture.folder, target, {
    onSnapshot: (round) => {
      rounds = round;
      if (round === 1) addCheckpoint(20); // retires step 0, whose row is in the first snapshot
    },
  });
  expect(rounds).toBe(2);
  expect(report).toMatchObject({ checkpoints: 2, damaged: [] });
  expect(readdirSync(join(target, "checkpoints", runId)).sort()).toContain("step-20");
  expect(existsSync(join(target, "checkpoints", runId, "step-0", "model.safetensors"))).toBe(false);
});

test("a damaged file is named and left out, and the rest is backed up", async () => {
  const directory = addCheckpoint(0);
  const path = join("checkpoints", runId, directory, "model.safetensors");
  writeFileSync(join(fixture.folder, path), "model.safetensors of step 1");
  const gone = join("checkpoints", runId, directory, "trainer_state.json");
  rmSync(join(fixture.folder, gone));
  const report = await backUp(fixture.folder, target);
  expect(report.damaged).toEqual([path, gone]);
  expect(Object.keys(contentOf(target)).filter((name) => name.startsWith("checkpoints"))).toEqual([]);
  expect(Object.keys(contentOf(target)).filter((name) => name.startsWith("datasets"))).toHaveLength(1);
});

test("a place that is taken, or lies within the data, and a folder without a database are refused", async () => {
  mkdirSync(target);
  writeFileSync(join(target, "mine"), "");
  const refusal = (folder: string, place: string) => backUp(folder, place).catch((error: unknown) => error);
  for (
    const [folder, place, why] of [
      [fixture.folder, target, "is not empty"],
      [fixture.folder, join(fixture.folder, "backup"), "lies in the data folder"],
      [outside, join(outside, "other"), "is no data folder"],
    ]
  ) {
    const error = await refusal(folder, place);
    expect(error).toBeInstanceOf(BackupError);
    expect((error as Error).message).toContain(why);
  }
  expect(readdirSync(outside)).toEqual(["backup"]); // nothing half-done
});

test("a folder that cannot be written leaves nothing behind", async () => {
  writeFileSync(join(outside, "file"), "");
  const error = await backUp(fixture.folder, join(outside, "file", "backup")).catch((error: unknown) => error);
  expect((error as { code: string }).code).toBe("ENOTDIR");
  expect(readdirSync(outside)).toEqual(["file"]);
});
