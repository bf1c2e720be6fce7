import { createHash } from "node:crypto";
import { jsonFile, TOKENIZER_CONFIG, tokenizerConfig } from "../data/tokenizer_config.ts";
import type { RunConfig } from "../train/config.ts";
import type { CheckpointFile } from "../train/protocol.ts";
import type { Checkpoint } from "./checkpoint_store.ts";

/** A file of a checkpoint that clients may have. Its content is on disk, or here if it was derived from the run. */
export type Download = CheckpointFile & { content?: Uint8Array<ArrayBuffer> };

/**
 * Gives what a checkpoint offers: the files that were written, and those that newer versions write too, so that an old
 * checkpoint loads elsewhere as well as a new one. What its row promises to be on disk stays as it is.
 */
export function downloadsOf({ files }: Checkpoint, config: RunConfig): Download[] {
  const downloads: Download[] = [...files];
  const has = (name: string) => files.some((file) => file.name === name);
  if (has("tokenizer.json") && !has(TOKENIZER_CONFIG)) {
    const content = jsonFile(tokenizerConfig(config));
    const sha256 = createHash("sha256").update(content).digest("hex");
    downloads.push({ name: TOKENIZER_CONFIG, bytes: content.length, sha256, content });
  }
  return downloads;
}
