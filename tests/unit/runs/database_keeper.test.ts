import { afterEach, beforeEach, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../support/wait_for.ts";
import { Fixture } from "./fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.open();
});
afterEach(() => fixture.close());

test("the database's file shrinks after a long run was deleted", async () => {
  const id = await fixture.run();
  fixture.reverie.runner.act("cancel", id);
  fixture.trainer.ended("cancelled", 0);
  const { $client } = fixture.reverie.db;
  const { key } = $client.prepare("insert into run_keys (run_id) values (?) returning key").get(id) as { key: number };
  $client.prepare(`with recursive at (step) as (values (1) union all select step + 1 from at where step < 200000)
    insert into train_points (run_key, step, loss, lr) select ?, step, 1.5, 0.25 from at`).run(key);
  $client.pragma("wal_checkpoint(TRUNCATE)");
  const size = () => statSync(join(fixture.folder, "reverie.db")).size;
  const grown = size();
  expect(grown).toBeGreaterThan(5 * 2 ** 20);
  await fixture.reverie.runner.remove(id);
  // What is left is a reserve of 4 MiB at most and the little that else there is.
  await waitFor("the file to shrink", () => {
    $client.pragma("wal_checkpoint(PASSIVE)"); // the next commits would do it
    return size() < 4.6 * 2 ** 20;
  }, { timeoutMs: 20_000 });
}, 30_000);
