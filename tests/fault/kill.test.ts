import { expect, test } from "bun:test";
import process from "node:process";
import type { Random } from "#src/data/random.ts";
import type { Client, Run } from "../server/client.ts";
import { waitFor } from "../support/wait_for.ts";
import { Follower } from "./follower.ts";
import { Lives } from "./lives.ts";
import { BODY, expectSame, outcomeOf, undisturbed } from "./outcome.ts";
import { checkpointFolders, checkRemains, NOTHING } from "./remains.ts";
import { delay, randomOf, shuffle } from "./seed.ts";

/** `deno task faults` takes 100. */
const KILLS = Number(process.env.REVERIE_FAULT_KILLS ?? 25);
const TIMEOUT_MS = 120_000 + KILLS * 10_000;

/** Of each five kills. */
type Moment = "steps" | "checkpoint" | "event" | "start";
const MOMENTS: readonly Moment[] = ["steps", "steps", "checkpoint", "event", "start"];
/** A server is ready after about this long, and its run is on its way a little later. */
const START_MS = 1500;
/** A checkpoint comes every 0.3 s … */
const LIFE_MS = 1200;
/** … and takes a quarter of that to write. */
const WRITE_MS = 80;
/** Five crashes in a row without a checkpoint end a run: after these, the next life is left until it has taken one. */
const MOST_STALLED_ATTEMPTS = 2;

/** Lives until the moment of `kind`, which it describes. The kill follows at once. */
async function live(kind: Moment, lives: Lives, follower: Follower, random: Random): Promise<string> {
  const waitMs = random.below(LIFE_MS);
  switch (kind) {
    case "start":
    case "steps":
      await delay(waitMs);
      return `${waitMs} ms after it was ready`;
    case "checkpoint": {
      const nth = 1 + random.below(2);
      const seen = new Set<string>();
      const path = await waitFor(`checkpoint ${nth} being written`, () => {
        const found = temporaryFolders(lives.dataFolder).find((path) => !seen.has(path) && seen.add(path));
        return seen.size >= nth && found;
      }, { everyMs: 1 });
      const lateMs = random.below(WRITE_MS);
      await delay(lateMs);
      const whole = temporaryFolders(lives.dataFolder).includes(path) ? "in" : "after";
      return `${whole} the writing of a checkpoint, ${lateMs} ms after it began`;
    }
    case "event": {
      const types = ["run.progress", "run.checkpointed", "run.evaluated", "run.sampled", "run.started"];
      const type = types[random.below(types.length)];
      let met = "";
      const act = ({ sequence, data }: { sequence: number; data: Record<string, unknown> }) => {
        process.kill(lives.server.pid, "SIGKILL");
        met = `with event ${sequence}, ${type} at step ${data.step}`;
      };
      await follower.at(type, (event) => event.type === type, act);
      return met;
    }
  }
}

function temporaryFolders(dataFolder: string): string[] {
  return checkpointFolders(dataFolder).filter((path) => path.endsWith(".tmp"));
}

/** Keeps two runs ahead of the server: every life has something to lose, and a queue. */
async function queueTwo(client: Client, ids: string[]): Promise<void> {
  type List = { data: Run[] };
  const { data } = await client.get<List>("/api/runs?status=queued&status=running&limit=100");
  for (let ahead = data.length; ahead < 2; ahead++) {
    const { id } = await client.post<Run>("/api/runs", BODY);
    ids.push(id);
  }
}

test(`runs of a server killed ${KILLS} times are those of one left alone, bit for bit`, async () => {
  const random = randomOf(1);
  const reference = await undisturbed(BODY);
  await using lives = new Lives();
  const follower = new Follower();
  const ids: string[] = [];
  const journal: string[] = [];
  const moments = shuffle(Array.from({ length: KILLS }, (_, i) => MOMENTS[i % MOMENTS.length]), random);
  let remains = NOTHING;
  try {
    for (const kind of moments) {
      const mayStall = remains.stalledAttempts < MOST_STALLED_ATTEMPTS;
      if (kind === "start" && mayStall) {
        lives.spawn();
        const waitMs = random.below(START_MS);
        await delay(waitMs);
        journal.push(`${waitMs} ms after its start`);
      } else {
        const client = await lives.begin();
        follower.follow(lives.server.url, remains.lastSequence);
        await queueTwo(client, ids);
        // The second death that counts ends a run without a new checkpoint; one as early as at a start does not count.
        const mayDie = remains.processDeaths === 0 || kind === "start";
        if (!mayStall || !mayDie) await follower.at("a checkpoint", ({ type }) => type === "run.checkpointed");
        journal.push(await live(kind, lives, follower, random));
      }
      await lives.kill();
      await follower.settle();
      remains = checkRemains(lives.dataFolder);
    }
    const client = await lives.begin();
    follower.follow(lives.server.url, remains.lastSequence);
    for (const id of ids) {
      const run = await client.reached(id, "succeeded");
      journal.push(`${id}: ${run.attempts} attempts`);
      expectSame(await outcomeOf(client, id), reference);
    }
    await lives.stop();
    await follower.settle();
    checkRemains(lives.dataFolder);
    await expectNothingLost(follower, lives, ids);
  } catch (error) {
    console.error(`killed:\n${journal.join("\n")}`);
    throw error;
  }
}, TIMEOUT_MS);

/**
 * What one client saw of all the servers together is the log: each event once, in order, none that was taken back.
 * And of the checkpoints that were being written or removed, nothing is left.
 */
async function expectNothingLost(follower: Follower, lives: Lives, ids: string[]): Promise<void> {
  const client = await lives.begin();
  for (const id of ids) {
    expect(follower.seen.filter(({ run_id }) => run_id === id)).toEqual(await client.events(id));
  }
  const sequences = follower.seen.map(({ sequence }) => sequence);
  expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
  const kept = await Promise.all(ids.map((id) => client.checkpoints(id)));
  expect(checkpointFolders(lives.dataFolder)).toHaveLength(kept.flat().length);
  await lives.stop();
}
