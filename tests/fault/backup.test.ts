import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Run } from "../server/client.ts";
import { denoPath, ROOT } from "../support/deno.ts";
import { Lives } from "./lives.ts";
import { BODY, expectSame, outcomeOf, undisturbed } from "./outcome.ts";
import { readRemains } from "./remains.ts";
import { delay, randomOf } from "./seed.ts";

/** Checkpoints come and go all the time. */
const BUSY = { ...BODY, max_steps: 800, checkpoint: { every: 25, keep: 2 } };
const BACKUPS = 2;

/** `deno task backup`, without what the task prints of itself. */
function backUp(dataFolder: string, target: string): string {
  const { tasks } = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8")) as { tasks: { backup: { command: string } } };
  const args = [...tasks.backup.command.split(" ").slice(1), target];
  return execFileSync(denoPath(), args, {
    cwd: ROOT,
    env: { ...process.env, REVERIE_DATA: dataFolder },
    encoding: "utf8",
  });
}

test("a backup taken while a run trains is whole, and the restored run ends with the same bits", async () => {
  const reference = await undisturbed(BUSY);
  const random = randomOf(9);
  const root = mkdtempSync(join(tmpdir(), "reverie-backups-"));
  try {
    const folders = Array.from({ length: BACKUPS }, (_, i) => join(root, `backup-${i}`));
    let id: string;
    {
      await using lives = new Lives();
      const client = await lives.begin();
      ({ id } = await client.post<Run>("/api/runs", BUSY));
      for (const [i, folder] of folders.entries()) {
        await client.stepped(id, 40 + 350 * i);
        await delay(random.below(300));
        expect(backUp(lives.dataFolder, folder)).toContain("Backed up 1 run, 1 text and ");
        expect(readRemains(folder, (db) => db.query("pragma integrity_check").get())).toEqual({
          integrity_check: "ok",
        });
      }
      // The run that was copied went on undisturbed.
      await client.reached(id, "succeeded");
      expectSame(await outcomeOf(client, id), reference);
    }
    for (const dataFolder of folders) {
      await using restored = new Lives({ dataFolder });
      const client = await restored.begin();
      await client.reached(id, "succeeded");
      expectSame(await outcomeOf(client, id), reference);
      expect(await client.stream(`/api/runs/${id}/events?type=run.checkpoint_corrupt`, null)).toEqual([]);
      await restored.stop();
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 240_000);
