import { Database } from "bun:sqlite";
import { beforeAll, describe, expect, test } from "bun:test";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Client, type Event, type Run, SMALL_RUN } from "../server/client.ts";
import { RunningServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Lives } from "./lives.ts";
import { canMount, makeReadOnly, SmallDisk, testInNamespace } from "./mounts.ts";
import { BODY, expectSame, type Outcome, outcomeOf, undisturbed } from "./outcome.ts";
import { checkRemains } from "./remains.ts";
import { delay, randomOf } from "./seed.ts";

const TIMEOUT_MS = 120_000;
const SHORT = { ...BODY, max_steps: 1000, checkpoint: { every: 100, keep: 3 } };
/** The database, a text, six checkpoints, and the room that a server wants to see before it goes on. */
const DISK_MEGABYTES = 24;

/** So long that all a trainer says when it is stopped comes while nothing can be written. */
const LOCKED_MS = 4000;

interface StoredRun extends Run {
  waits_for_storage: boolean;
}

/** Takes all that is left of a disk. */
function fill(path: string): void {
  const file = openSync(path, "a");
  try {
    // Pages first, then bytes: nothing is to be left that a small write could have.
    for (const bytes of [1 << 16, 1]) {
      while (true) {
        try {
          writeSync(file, new Uint8Array(bytes));
        } catch (error) {
          if ((error as { code?: string }).code !== "ENOSPC") throw error;
          break;
        }
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Waits until a run is paused for the data folder's sake, and gives it. */
async function pausedForStorage(client: Client, id: string, meanwhile: () => void = () => {}): Promise<StoredRun> {
  return await waitFor(`${id} paused`, async () => {
    meanwhile();
    const run = await client.run(id) as StoredRun;
    if (run.status === "succeeded" || run.status === "failed") throw new Error(`${run.status} instead: ${run.error}`);
    return run.status === "paused" && run;
  });
}

async function ofType(client: Client, id: string, type: string): Promise<Event[]> {
  return (await client.events(id)).filter((event) => event.type === type);
}

/** The outcome without the checkpoints that a pause took. */
async function scheduledOutcome(client: Client, id: string): Promise<Outcome> {
  const outcome = await outcomeOf(client, id);
  const { checkpoint: { every }, max_steps } = SHORT;
  const history = outcome.history.filter(({ type, step }) =>
    type !== "checkpointed" || step % every === 0 || step === max_steps
  );
  return { ...outcome, history };
}

if (!canMount()) {
  test("all of this file, in a namespace where its user may mount", () => testInNamespace(import.meta.path), 300_000);
} else {
  describe("a data folder that cannot be written", () => {
    let reference: Outcome;
    beforeAll(async () => {
      reference = await undisturbed(SHORT);
    }, TIMEOUT_MS);

    /** Told in events: as often resumed as paused. */
    async function expectPauses(client: Client, id: string): Promise<void> {
      const pauses = await ofType(client, id, "run.paused");
      expect(pauses.length).toBeGreaterThan(0);
      expect(await ofType(client, id, "run.resumed")).toHaveLength(pauses.length);
      for (const { data } of pauses) expect(String(data.error)).toContain("the data folder cannot be written");
    }

    /** What must be so at the end of each. */
    async function expectUndisturbed(client: Client, id: string, lives: Lives): Promise<void> {
      const run = await client.reached(id, "succeeded") as StoredRun;
      expect(run.error).toBeNull();
      expect(run.waits_for_storage).toBe(false);
      expectSame(await scheduledOutcome(client, id), reference);
      await lives.stop();
      checkRemains(lives.dataFolder);
    }

    test("for a disk that is full pauses the run until there is space", async () => {
      const random = randomOf(7);
      using disk = new SmallDisk(DISK_MEGABYTES);
      const ballast = join(disk.folder, "ballast");
      await using lives = new Lives({ dataFolder: join(disk.folder, "data") });
      const client = await lives.begin();
      const { id } = await client.post<Run>("/api/runs", SHORT);
      await client.stepped(id, 50 + random.below(200));
      // Again and again: what the server sets free for its last words is taken as well.
      const paused = await pausedForStorage(client, id, () => fill(ballast));
      expect(paused.error).toContain("no space left");
      expect(paused.waits_for_storage).toBe(true);
      rmSync(ballast);
      await client.reached(id, "succeeded");
      await expectPauses(client, id);
      await expectUndisturbed(client, id, lives);
    }, TIMEOUT_MS);

    test("for a disk that is full loses nothing where the server dies meanwhile", async () => {
      const random = randomOf(8);
      using disk = new SmallDisk(DISK_MEGABYTES);
      const ballast = join(disk.folder, "ballast");
      await using lives = new Lives({ dataFolder: join(disk.folder, "data") });
      let client = await lives.begin();
      const { id } = await client.post<Run>("/api/runs", SHORT);
      await client.stepped(id, 50 + random.below(200));
      await pausedForStorage(client, id, () => fill(ballast));
      await lives.kill();
      checkRemains(lives.dataFolder);
      // What the dead server's end has set free may be enough to start, and to pause again; or it is not.
      fill(ballast);
      await using full = new RunningServer({ dataFolder: lives.dataFolder });
      await waitFor("a start on a full disk", () => full.stdout.includes("\n") || full.stderr.includes("cannot start"));
      if (full.stdout === "") {
        expect(await full.ended()).toEqual({ code: 1, signal: null });
        expect(full.stderr).toMatch(/Reverie cannot start: .*no space left/);
      }
      await full.stop("SIGKILL");
      rmSync(ballast);
      client = await lives.begin();
      await expectUndisturbed(client, id, lives);
    }, TIMEOUT_MS);

    test("because it is read-only pauses the run until it is not, and lets no server start", async () => {
      await using lives = new Lives();
      const client = await lives.begin();
      const { id } = await client.post<Run>("/api/runs", SHORT);
      await client.stepped(id, 60);
      const mend = makeReadOnly(lives.dataFolder);
      try {
        const paused = await pausedForStorage(client, id);
        expect(paused.error).toContain("read-only");
        expect(paused.waits_for_storage).toBe(true);
        await using second = new RunningServer({ dataFolder: lives.dataFolder });
        expect(await second.ended(30_000)).toEqual({ code: 1, signal: null });
        expect(second.stderr).toMatch(/^Reverie cannot start: REVERIE_DATA=.* cannot be written: /);
      } finally {
        mend();
      }
      await client.reached(id, "succeeded");
      await expectPauses(client, id);
      await expectUndisturbed(client, id, lives);
    }, TIMEOUT_MS);

    test("because another process has locked the database pauses the run until that lets go", async () => {
      await using lives = new Lives();
      const client = await lives.begin();
      const { id } = await client.post<Run>("/api/runs", SHORT);
      await client.stepped(id, 60);
      {
        using other = new Database(join(lives.dataFolder, "reverie.db"));
        other.run("pragma busy_timeout = 5000");
        other.run("begin immediate");
        const paused = await pausedForStorage(client, id);
        expect(paused.error).toContain("locked");
        expect(paused.waits_for_storage).toBe(true);
        const refused = await client.fetch("/api/runs", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(SMALL_RUN),
        });
        expect(refused.status).toBe(503);
        await delay(LOCKED_MS);
        other.run("rollback");
      }
      await client.reached(id, "succeeded");
      await expectPauses(client, id);
      await expectUndisturbed(client, id, lives);
    }, TIMEOUT_MS);
  });
}
