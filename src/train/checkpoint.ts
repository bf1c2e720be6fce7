import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { syncFolder, writeDurably } from "../data/durable_file.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { jsonFile, TOKENIZER_CONFIG, tokenizerConfig } from "../data/tokenizer_config.ts";
import { generationConfig, huggingFaceConfig } from "../export/hugging_face.ts";
import { encodeSafetensors, SafetensorsFile } from "../export/safetensors.ts";
import type { Arena } from "../model/arena.ts";
import { modelConfig } from "./config.ts";
import { Progress } from "./progress.ts";
import type { CheckpointFile } from "./protocol.ts";
import type { Trainer } from "./trainer.ts";
import { ArenaReader, type GiveTurn, writeTensor } from "./weights.ts";

/**
 * A checkpoint is a folder: a Hugging Face model (weights, config, tokenizer) and, in `optimizer.safetensors` and
 * `trainer_state.json`, all else that resuming exactly takes. It appears under its name only when whole and on disk.
 */

/** The content of `trainer_state.json`. Format 1 did not keep what evaluations had found. */
export const TrainerState = Progress.extend({
  format: z.literal([1, 2]),
  /** Updates made. */
  step: z.int().min(0),
  /** The variants of kernels that the run trains with: others may round differently. Defaults, where there are none. */
  choices: z.record(z.string(), z.string()).default({}),
  /** Of f16 runs. */
  loss_scale: z.object({ scale: z.number(), finite_steps: z.number() }).default({ scale: 1, finite_steps: 0 }),
});
export type TrainerState = z.output<typeof TrainerState>;

/** Writes a checkpoint into a new folder under `folder`, and gives its name and files. */
export async function writeCheckpoint(
  folder: string,
  trainer: Trainer,
  tokenizer: Tokenizer,
  progress: Progress,
): Promise<{ directory: string; files: CheckpointFile[] }> {
  const model = modelConfig(trainer.config);
  // A step may be reached again after a crash: the name is never one that exists.
  const directory = `step-${String(trainer.step).padStart(9, "0")}-${randomUUID().slice(0, 8)}`;
  const temporary = join(folder, `${directory}.tmp`);
  await mkdir(temporary, { recursive: true });
  const files: CheckpointFile[] = [];
  const reader = new ArenaReader(trainer.readback);
  const add = async (name: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
    files.push({ name, ...await writeHashed(join(temporary, name), pieces) });
  };
  const addJson = (name: string, value: unknown) => add(name, [jsonFile(value)]);
  try {
    // `format: pt` is what transformers asks of a file before it loads it.
    await add("model.safetensors", encodeSafetensors(tensorsOf(reader, trainer.parameters, ""), { format: "pt" }));
    await addJson("config.json", huggingFaceConfig(model));
    await addJson("generation_config.json", generationConfig(model, trainer.config.sample));
    await addJson("tokenizer.json", tokenizer.toJSON());
    await addJson(TOKENIZER_CONFIG, tokenizerConfig(model));
    const moments = [...trainer.moments].flatMap(([name, arena]) => tensorsOf(reader, arena, `${name}.`));
    await add("optimizer.safetensors", encodeSafetensors(moments, {}));
    const loss_scale = await trainer.readLossScale();
    const { step, choices } = trainer;
    await addJson("trainer_state.json", { format: 2, step, ...progress, choices, loss_scale } satisfies TrainerState);
    await syncFolder(temporary);
    await rename(temporary, join(folder, directory));
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return { directory, files };
}

/** A checkpoint's files are not those that were written. */
export class CorruptCheckpointError extends Error {
  override name = "CorruptCheckpointError";
}

/**
 * Reads every file of a checkpoint once and holds it against the hash it was written with.
 * @throws {CorruptCheckpointError} saying which file is missing, cut or changed
 */
export async function verifyCheckpoint(folder: string, files: readonly CheckpointFile[]): Promise<void> {
  for (const { name, bytes, sha256 } of files) {
    const hash = createHash("sha256");
    let size = 0;
    try {
      for await (const piece of createReadStream(join(folder, name), { highWaterMark: 2 ** 20 })) {
        hash.update(piece);
        size += piece.length;
      }
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
      throw new CorruptCheckpointError(`${name} is missing`);
    }
    if (size !== bytes) throw new CorruptCheckpointError(`${name} has ${size} bytes, not ${bytes}`);
    const found = hash.digest("hex");
    if (found !== sha256) throw new CorruptCheckpointError(`${name} has SHA-256 ${found}, not ${sha256}`);
  }
}

export async function readState(folder: string): Promise<TrainerState> {
  return TrainerState.parse(JSON.parse(await readFile(join(folder, "trainer_state.json"), "utf8")));
}

/**
 * Loads weights, moments and step into a trainer of the same configuration.
 * @param giveTurn lets commands in meanwhile; what it throws ends the loading
 * @throws Error naming the file, if one is missing, cut or of another shape
 */
export async function readCheckpoint(folder: string, trainer: Trainer, giveTurn?: GiveTurn): Promise<TrainerState> {
  const state = await readState(folder);
  const load = (name: string, arena: Arena, prefix: string) =>
    loadArena(join(folder, name), trainer, { arena, prefix, giveTurn });
  await load("model.safetensors", trainer.parameters, "");
  trainer.weightsChanged();
  for (const [name, arena] of trainer.moments) await load("optimizer.safetensors", arena, `${name}.`);
  trainer.writeLossScale(state.loss_scale);
  trainer.step = state.step;
  return state;
}

function tensorsOf(reader: ArenaReader, arena: Arena, prefix: string) {
  return arena.layout.parameters.map(({ spec }) => ({
    name: prefix + spec.name,
    shape: spec.shape,
    bytes: reader.tensor(arena, spec.name),
  }));
}

async function loadArena(
  path: string,
  trainer: Trainer,
  { arena, prefix, giveTurn }: { arena: Arena; prefix: string; giveTurn?: GiveTurn },
): Promise<void> {
  const file = await SafetensorsFile.open(path);
  try {
    for (const { spec } of arena.layout.parameters) {
      const shape = file.tensors.get(prefix + spec.name)?.shape;
      if (shape?.join() !== spec.shape.join()) {
        throw new Error(`${path}: ${prefix}${spec.name} has shape [${shape}], the run needs [${spec.shape}]`);
      }
      let offset = 0;
      await writeTensor(trainer.gpu.device, arena, spec, async (piece) => {
        await file.read(prefix + spec.name, offset, new Uint8Array(piece.buffer));
        offset += piece.byteLength;
      }, giveTurn);
    }
  } finally {
    await file.close();
  }
}

async function writeHashed(path: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  const hash = createHash("sha256");
  let bytes = 0;
  await writeDurably(path, async (append) => {
    for await (const piece of pieces) {
      hash.update(piece);
      bytes += piece.length;
      await append(piece);
    }
  });
  return { bytes, sha256: hash.digest("hex") };
}
