import { expect, test } from "bun:test";
import process from "node:process";
import { RunningServer } from "../support/server.ts";
import { waitFor } from "../support/wait_for.ts";
import { Client, type Run } from "../server/client.ts";
import { Lives } from "./lives.ts";
import { BODY, expectSame, outcomeOf, undisturbed } from "./outcome.ts";

/** Enough for the rivals to come and go in, and no more. */
const SHORT = { ...BODY, max_steps: 1000, checkpoint: { every: 100, keep: 3 } };

/** Waits until the server is ready or has ended, and says which. */
async function outcomeOfStart(server: RunningServer): Promise<"ready" | "refused"> {
  return await waitFor("a start's outcome", () => {
    if (server.stdout.includes("\n")) return "ready" as const;
    return server.stderr.includes("in use by another server") && "refused" as const;
  });
}

test("of servers started at once on one folder one trains its runs, also after it is killed or sleeps", async () => {
  const reference = await undisturbed(SHORT);
  await using lives = new Lives();
  let client = await lives.begin();
  const { id } = await client.post<Run>("/api/runs", SHORT);
  await client.stepped(id, 1);
  await lives.kill();

  const { dataFolder } = lives;
  const rivals = Array.from({ length: 3 }, () => new RunningServer({ dataFolder }));
  try {
    const outcomes = await Promise.all(rivals.map(outcomeOfStart));
    expect(outcomes.toSorted()).toEqual(["ready", "refused", "refused"]);
    const winner = rivals[outcomes.indexOf("ready")];
    for (const rival of rivals) if (rival !== winner) expect(await rival.ended()).toEqual({ code: 1, signal: null });

    client = new Client((await winner.ready()).url);
    await client.stepped(id, 51);
    // Asleep, it cannot renew or answer anything, and it will go on where it was.
    process.kill(winner.pid, "SIGSTOP");
    await using sixth = new RunningServer({ dataFolder });
    expect(await outcomeOfStart(sixth)).toBe("refused");
    process.kill(winner.pid, "SIGCONT");

    const run = await client.reached(id, "succeeded");
    expect(run.attempts).toBe(1);
    expectSame(await outcomeOf(client, id), reference);
  } finally {
    for (const rival of rivals) await rival[Symbol.asyncDispose]();
  }
}, 120_000);
