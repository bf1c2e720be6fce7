import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { openDatabase } from "#src/db/client.ts";
import { makeOldDatabase, oldRunId } from "../../fault/old_database.ts";

test("a config that an older version stored gets the fields that came later, as the run was trained", () => {
  const folder = mkdtempSync(join(tmpdir(), "reverie-configs-"));
  try {
    makeOldDatabase(folder, 2);
    const path = join(folder, "reverie.db");
    {
      using old = new Database(path);
      const set = old.query("update runs set config = ? where id = ?");
      set.run('{"checkpoint":{"every":5,"keep":2},"optimizer":{"learning_rate":0.001}}', oldRunId(0));
      set.run(
        '{"checkpoint":{"every_seconds":60,"on_best":true},"recompute":"block","drive":"invoke","priority":3}',
        oldRunId(1),
      );
    }
    const db = openDatabase(path);
    const config = (i: number) =>
      JSON.parse(db.$client.prepare("select config from runs where id = ?").pluck().get(oldRunId(i)) as string);
    expect(config(0)).toEqual({
      checkpoint: { every: 5, keep: 2, every_seconds: null, on_best: false },
      optimizer: { learning_rate: 0.001 },
      recompute: "none",
      drive: "background",
      priority: 0,
    });
    expect(config(1)).toEqual({
      checkpoint: { every_seconds: 60, on_best: true },
      recompute: "block",
      drive: "invoke",
      priority: 3,
    });
    db.$client.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
