import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { openDatabase } from "#src/db/client.ts";
import { makeOldDatabase } from "../../fault/old_database.ts";

test("deliveries that an older version took are still known, by their hook's name", () => {
  const folder = mkdtempSync(join(tmpdir(), "reverie-hooks-"));
  try {
    makeOldDatabase(folder, 0);
    const path = join(folder, "reverie.db");
    const at = "2026-01-01T00:00:00.000Z";
    {
      using old = new Database(path);
      old.run(`insert into hooks (id, name, scheme, sealed_secret, run, map, created_at)
        values ('hook_1', 'nightly', 'github', '', '{}', '{}', '${at}')`);
      old.run(`insert into hook_deliveries values ('hook_1', 'd-1', 'run_1', '${at}')`);
    }
    const db = openDatabase(path);
    expect(db.$client.prepare("select * from hook_runs").all()).toEqual([
      { hook_name: "nightly", scheme: "github", delivery_id: "d-1", run_id: "run_1", created_at: at },
    ]);
    db.$client.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
