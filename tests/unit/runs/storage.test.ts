import { Fixture } from "./fixture.ts";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { waitFor } from "../../support/wait_for.ts";
import { call } from "../routes/http.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

const runOf = (id: string) => fixture.reverie.runs.get(id);
const types = (id: string) => fixture.events(id).map(({ type }) => type);
const LONG = { timeoutMs: 20_000 };

function stepsOf(id: string): number[] {
  return fixture.points(id, ["train/loss"], 0, 1e9).get("train/loss")!.steps;
}

describe("a checkpoint that cannot be written", () => {
  test("pauses the run, which goes on by itself once it can", async () => {
    const id = await fixture.run();
    fixture.trainer.started();
    fixture.trainer.checkpointed(0);
    fixture.trainer.progress(1, 5);
    fixture.trainer.ended("storage", 5, "no space left on the device (ENOSPC)");
    expect(runOf(id)).toMatchObject({ status: "paused", waits_for_storage: true, lease_owner: null });
    expect(runOf(id).error).toContain("no space left");
    const paused = fixture.events(id).at(-1)!;
    expect(paused).toMatchObject({ type: "run.paused", data: { step: 5, waits_for_storage: true } });
    expect(paused.data.error).toContain("no space left");
    await waitFor("the run to go on", () => runOf(id).status === "running", LONG);
    expect(types(id).at(-1)).toBe("run.resumed");
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-0");
    expect(runOf(id)).toMatchObject({ error: null, attempts: 0, waits_for_storage: false });
  });

  test("keeps it paused while its folder cannot be written", async () => {
    const id = await fixture.run();
    const folder = fixture.reverie.checkpoints.runFolder(id);
    writeFileSync(folder, "in the way"); // root may write any folder, but none under a file
    fixture.trainer.ended("storage", 0, "permission denied (EACCES)");
    const { storage } = fixture.reverie;
    const probe = storage.probe.bind(storage);
    let looks = 0;
    storage.probe = (path, bytes) => {
      looks++;
      probe(path, bytes);
    };
    await waitFor("two looks", () => looks >= 2, LONG);
    expect(runOf(id).status).toBe("paused");
    rmSync(folder);
    await waitFor("the run to go on", () => runOf(id).status === "running", LONG);
  });

  test("time and again without progress, leaves it to somebody to look at", async () => {
    const id = await fixture.run();
    fixture.reverie.runs.update(id, { stalled_attempts: 4 });
    fixture.trainer.ended("storage", 0, "permission denied (EACCES)");
    expect(runOf(id)).toMatchObject({ status: "paused", waits_for_storage: false });
    expect(fixture.reverie.runner.act("resume", id)).toMatchObject({ status: "queued", stalled_attempts: 0 });
  });

  test("a run that waits for storage can be held and cancelled", async () => {
    const id = await fixture.run();
    fixture.trainer.ended("storage", 0, "no space left on the device (ENOSPC)");
    expect(fixture.reverie.runner.act("pause", id)).toMatchObject({ status: "paused", waits_for_storage: false });
    expect(() => fixture.reverie.runner.act("pause", id)).toThrow("paused already");
    expect(fixture.reverie.runner.act("cancel", id)).toMatchObject({ status: "cancelled", error: null });
  });

  test("a run that waited when the process died goes on after the next start", async () => {
    const id = await fixture.run();
    fixture.trainer.ended("storage", 0, "no space left on the device (ENOSPC)");
    await fixture.boot();
    expect(runOf(id).status).toBe("paused");
    await waitFor("the run to go on", () => runOf(id).status === "running", LONG);
  });
});

describe("a database that is locked", () => {
  test("stops the run, and every report is written once it is free", async () => {
    const id = await fixture.run();
    const { trainer } = fixture;
    trainer.started();
    trainer.progress(1, 3);
    const other = new SqliteDatabase(join(fixture.folder, "reverie.db"));
    other.exec("BEGIN IMMEDIATE");
    trainer.progress(4, 6);
    await waitFor("the run to be stopped", () => trainer.commands.at(-1)!.type === "stop", LONG);
    expect(trainer.commands.at(-1)).toEqual({ type: "stop", run_id: id, reason: "interrupted" });
    const { status, body } = await call(fixture, "GET", `/api/runs/${id}`);
    expect([status, body.status, body.waits_for_storage]).toEqual([200, "paused", true]);
    expect(body.error).toContain("locked");
    const refused = await call(fixture, "POST", "/api/runs", { dataset: "sample" });
    expect([refused.status, refused.body.title]).toEqual([503, "Storage unavailable"]);
    trainer.progress(7, 7);
    trainer.checkpointed(7);
    trainer.ended("interrupted", 7);
    expect(stepsOf(id)).toEqual([1, 2, 3]);
    other.exec("ROLLBACK");
    other.close();
    await waitFor("the run to go on", () => runOf(id).status === "running" && types(id).includes("run.resumed"), LONG);
    expect(stepsOf(id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(types(id).slice(-4)).toEqual(["run.progress", "run.checkpointed", "run.paused", "run.resumed"]);
    expect(fixture.trainer.start.files.resumeFrom[0].directory).toBe("step-7");
  }, 30_000);

  test("for a moment only, by another process that writes, disturbs no run", async () => {
    const id = await fixture.run();
    const { trainer } = fixture;
    trainer.started();
    // A process of its own, as a shell or a backup would be.
    const program = `
      const db = new (require("bun:sqlite").Database)(process.argv[1]);
      db.run("begin immediate");
      db.run("update runs set name = 'renamed'");
      console.log("locked");
      setTimeout(() => { db.run("commit"); db.close(); }, 400);`;
    const writer = Bun.spawn([process.execPath, "-e", program, join(fixture.folder, "reverie.db")], {
      stdout: "pipe",
      stderr: "inherit",
    });
    const { value } = await writer.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("locked\n");
    trainer.progress(1, 3);
    trainer.progress(4, 5);
    expect((await call(fixture, "GET", `/api/runs/${id}`)).body).toMatchObject({ status: "running", step: 0 });
    await waitFor("the reports to be written", () => runOf(id).step === 5, LONG);
    expect(await stepsOf(id)).toEqual([1, 2, 3, 4, 5]);
    expect(runOf(id)).toMatchObject({ status: "running", error: null, name: "renamed" });
    expect(trainer.commands.map(({ type }) => type)).toEqual(["start"]);
    expect(await writer.exited).toBe(0);
  }, 30_000);
});

test("the reserve is there, and given when the disk is full", () => {
  const reserve = join(fixture.folder, "reserve");
  expect(existsSync(reserve)).toBe(true);
  expect([fixture.reverie.storage.giveReserve(), existsSync(reserve)]).toEqual([true, false]);
  expect(fixture.reverie.storage.giveReserve()).toBe(false);
});

describe("leases", () => {
  test("a run of another machine is left to it until its lease ends", async () => {
    const id = await fixture.run();
    const elsewhere = {
      lease_owner: "another-machine:1:abc",
      lease_expires_at: new Date(Date.now() + 1e6).toISOString(),
    };
    fixture.reverie.runs.update(id, elsewhere);
    await fixture.boot();
    expect(runOf(id)).toMatchObject({ status: "running", attempts: 0 });
    expect(fixture.trainer.commands).toEqual([]);
    fixture.reverie.runs.update(id, { lease_expires_at: new Date(Date.now() - 1).toISOString() });
    await fixture.boot();
    expect(runOf(id)).toMatchObject({ status: "running", attempts: 1 });
    expect(fixture.trainer.start.run_id).toBe(id);
  });

  test("what the trainer of a run that was taken away reports is void", async () => {
    const id = await fixture.run();
    const { trainer } = fixture;
    trainer.started();
    trainer.progress(1, 3);
    fixture.reverie.runs.update(id, { lease_owner: "another-machine:1:abc" });
    trainer.progress(4, 6);
    expect(trainer.closed).toBe(true);
    expect(stepsOf(id)).toEqual([1, 2, 3]);
    expect(runOf(id).lease_owner).toBe("another-machine:1:abc");
  });

  test("end with the run", async () => {
    const id = await fixture.run();
    expect(runOf(id).lease_owner).not.toBeNull();
    expect(Date.parse(runOf(id).lease_expires_at!)).toBeGreaterThan(Date.now());
    fixture.trainer.started();
    fixture.trainer.ended("succeeded", 100);
    expect(runOf(id)).toMatchObject({ lease_owner: null, lease_expires_at: null });
  });
});

test("a checkpoint that is not whole is forgotten, said, and its files kept", async () => {
  const id = await fixture.run();
  fixture.trainer.started();
  fixture.trainer.checkpointed(0);
  fixture.trainer.checkpointed(10);
  const [{ id: checkpoint_id }] = fixture.reverie.checkpoints.ofRun(id);
  fixture.trainer.report({ type: "checkpoint_corrupt", run_id: id, directory: "step-10", problem: "a bit turned" });
  expect(fixture.reverie.checkpoints.ofRun(id).map(({ step }) => step)).toEqual([0]);
  const data = { checkpoint_id, step: 10, problem: "a bit turned" };
  expect(fixture.events(id).at(-1)).toMatchObject({ type: "run.checkpoint_corrupt", data });
  await fixture.boot();
  expect(existsSync(join(fixture.reverie.checkpoints.runFolder(id), "step-10.corrupt"))).toBe(true);
});
