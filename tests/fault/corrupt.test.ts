import { beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "#src/data/random.ts";
import type { Client, Event, Run } from "../server/client.ts";
import { CorruptCheckpointError, verifyCheckpoint } from "#src/train/checkpoint.ts";
import { Lives } from "./lives.ts";
import { BODY, expectSame, type Outcome, outcomeOf, undisturbed } from "./outcome.ts";
import { randomOf } from "./seed.ts";

const SHORT = { ...BODY, max_steps: 1500 };

/** Ways a file can go bad. Each gives what it did. */
const DAMAGES = {
  "a bit flipped": (path: string, random: Random) => {
    const bytes = readFileSync(path);
    const at = random.below(bytes.length);
    bytes[at] ^= 1 << random.below(8);
    writeFileSync(path, bytes);
    return `byte ${at}`;
  },
  "its end cut off": (path: string, random: Random) => {
    const { length } = readFileSync(path);
    const left = random.below(length);
    truncateSync(path, left);
    return `${left} bytes left`;
  },
  "a piece of zeros": (path: string, random: Random) => {
    const bytes = readFileSync(path);
    const at = random.below(bytes.length);
    // Where it held zeros already, ones.
    bytes.subarray(at, at + 4096).fill(bytes[at] === 0 ? 1 : 0);
    writeFileSync(path, bytes);
    return `from byte ${at}`;
  },
  "bytes added": (path: string) => {
    writeFileSync(path, new Uint8Array([0]), { flag: "a" });
    return "one byte";
  },
  "gone": (path: string) => {
    rmSync(path);
    return "";
  },
};

/** Folders of a run's checkpoints, newest first. */
function folders(dataFolder: string, id: string): string[] {
  const root = join(dataFolder, "checkpoints", id);
  return readdirSync(root).filter((name) => /^step-\d+-[0-9a-f]+$/.test(name)).sort().reverse()
    .map((name) => join(root, name));
}

async function corruptions(client: Client, id: string): Promise<Event[]> {
  return (await client.events(id)).filter(({ type }) => type === "run.checkpoint_corrupt");
}

let reference: Outcome;
beforeAll(async () => {
  reference = await undisturbed(SHORT);
}, 60_000);

test("a corrupt checkpoint is noticed, said and not used; the one before it leads to the same bits", async () => {
  const random = randomOf(4);
  await using lives = new Lives();
  const done: string[] = [];
  let client = await lives.begin();
  // Every file once, every damage at least once.
  const files = ["model", "optimizer"].map((name) => `${name}.safetensors`);
  files.push("trainer_state.json", "config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json");
  const damages = Object.entries(DAMAGES);
  const { id } = await client.post<Run>("/api/runs", SHORT);
  let expected = 0;
  try {
    for (let i = 0; i < files.length; i++) {
      // Past the newest that is to be lost, so that each life makes a new one.
      await client.stepped(id, 51 + 100 * i);
      await lives.kill();
      const [newest] = folders(lives.dataFolder, id);
      const [what, damage] = damages[i % damages.length];
      done.push(`${files[i]}: ${what}, ${damage(join(newest, files[i]), random)}`);
      client = await lives.begin();
      expected++;
      const events = await client.stream(`/api/runs/${id}/events?type=run.checkpoint_corrupt`, null, expected);
      expect(events).toHaveLength(expected);
      expect(String(events.at(-1)!.data.problem)).toContain(files[i]);
      expect(Number(events.at(-1)!.data.step)).toBe(Number(newest.match(/step-(\d+)/)![1]));
    }
    const run = await client.reached(id, "succeeded");
    expect(run.attempts).toBe(files.length);
    expect(await corruptions(client, id)).toHaveLength(expected);
    expectSame(await outcomeOf(client, id), reference);
    await lives.stop();
  } catch (error) {
    console.error(done.join("\n"));
    throw error;
  }
}, 120_000);

test("with every checkpoint corrupt, or its folder gone, a run starts again and ends the same", async () => {
  const random = randomOf(5);
  await using lives = new Lives();
  let client = await lives.begin();
  const { id } = await client.post<Run>("/api/runs", SHORT);
  await client.stepped(id, 120);
  await lives.kill();
  const all = folders(lives.dataFolder, id);
  expect(all.length).toBe(3);
  all.forEach((folder, i) => {
    if (i === 1) rmSync(folder, { recursive: true });
    else DAMAGES["a bit flipped"](join(folder, "model.safetensors"), random);
  });

  client = await lives.begin();
  const [, restarted] = await client.stream(`/api/runs/${id}/events?type=run.started`, null, 2);
  expect(restarted.data.step).toBe(0);
  const problems = await corruptions(client, id);
  expect(problems.map(({ data }) => data.step).sort()).toEqual([0, 100, 50]);
  // A row promises a whole folder: there is none until a step is reached again.
  for (const { data } of problems) {
    const listed = await client.checkpoints(id);
    expect(listed.map(({ id }) => id)).not.toContain(data.checkpoint_id as string);
  }
  await client.reached(id, "succeeded");
  expectSame(await outcomeOf(client, id), reference);
  await lives.stop();
}, 120_000);

test("no byte of a checkpoint can change unnoticed", async () => {
  await using lives = new Lives();
  const client = await lives.begin();
  const { id } = await client.post<Run>("/api/runs", {
    ...SHORT,
    model: { n_layer: 1, n_head: 1, n_embd: 2 },
    context_length: 4,
    max_steps: 1,
  });
  await client.reached(id, "succeeded");
  const [{ files }] = await client.checkpoints(id);
  await lives.stop();
  const [folder] = folders(lives.dataFolder, id);
  await verifyCheckpoint(folder, files);
  for (const file of files) {
    const path = join(folder, file.name);
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at++) {
      bytes[at] ^= 1;
      writeFileSync(path, bytes);
      bytes[at] ^= 1;
      const outcome = await verifyCheckpoint(folder, [file]).catch((error: unknown) => error);
      if (!(outcome instanceof CorruptCheckpointError)) throw new Error(`byte ${at} of ${file.name}: ${outcome}`);
    }
    writeFileSync(path, bytes);
  }
  await verifyCheckpoint(folder, files);
}, 120_000);
