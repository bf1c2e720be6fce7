import { splitTokens, windowsIn } from "../train/config.ts";
import { Random } from "./random.ts";
import { RowGroups } from "./row_groups.ts";
import type { TokenSource } from "./token_shards.ts";

/** The target of a row that has none: no loss, no gradient. */
export const IGNORED_TARGET = 0xffff_ffff;

/** Shuffles draw from stream SHUFFLE_STREAM + epoch ("shuf"): far from the small numbers that weights are made from. */
const SHUFFLE_STREAM = 0x7368_7566;

/**
 * B windows of T tokens, rows b·T + t. Window w has tokens w·T … w·T + T − 1 as inputs and the ones that follow each as
 * targets, so windows overlap by one token and each token but the first is a target once. Where the tokens end early,
 * inputs are 0 and targets IGNORED_TARGET. The arrays are written anew by the next batch.
 */
export interface EvaluationBatch {
  readonly inputs: Uint32Array<ArrayBuffer>; // (B, T)
  readonly targets: Uint32Array<ArrayBuffer>; // (B, T)
  /** Targets that are not ignored: what the mean loss divides by. */
  readonly targetCount: number;
}

/** A batch to train on: with its rows grouped by input token, for the embedding's backward pass. See `RowGroups`. */
export interface Batch extends EvaluationBatch {
  readonly order: Uint32Array<ArrayBuffer>; // (B·T)
  /** Starts into `order`, one for each distinct input token ascending, then B·T; the rest is meaningless. */
  readonly segments: Uint32Array<ArrayBuffer>; // (B·T + 1)
  readonly segmentCount: number;
}

/** Tokens `start` … `end - 1` of a source, as a source. */
export function tokenRange(source: TokenSource, start: number, end: number): TokenSource {
  return { length: end - start, read: (offset, count) => source.read(start + offset, count) };
}

/** The tokens that train, and the tail that validates. */
export function splitCorpus(
  corpus: TokenSource,
  validationFraction: number,
): Record<"train" | "validation", TokenSource> {
  const { train } = splitTokens(corpus.length, validationFraction);
  return { train: tokenRange(corpus, 0, train), validation: tokenRange(corpus, train, corpus.length) };
}

interface TrainingBatchesOptions {
  /** T. */
  contextLength: number;
  /** B. */
  batchSize: number;
  /** A u32. */
  seed: number;
  /** Windows consumed by earlier batches; default 0. */
  position?: number;
}

/**
 * Batches over as many epochs as are asked for: each epoch is every window once, in an order shuffled from (seed, epoch)
 * alone, so the position is all there is to keep to resume exactly. A batch that crosses the end of an epoch continues
 * in the next one's order. Past `end` a batch has ignored rows only.
 */
export class TrainingBatches {
  /** Windows consumed so far, over all epochs. */
  position: number;
  /** Windows to consume in all: the batch that reaches them ends early. */
  end = Infinity;
  readonly windowCount: number;
  readonly #batch: BatchBuffers;
  readonly #groups: RowGroups;
  readonly #options: TrainingBatchesOptions;
  /** The shuffled windows of `#shuffledEpoch`: 4 bytes each, where their tokens take 2·T on disk. */
  readonly #shuffled: Uint32Array;
  #shuffledEpoch = -1;

  constructor(tokens: TokenSource, options: TrainingBatchesOptions) {
    this.#options = options;
    this.#batch = new BatchBuffers(tokens, options.contextLength, options.batchSize);
    this.#groups = new RowGroups(options.batchSize * options.contextLength);
    this.windowCount = windowsIn(tokens.length, options.contextLength);
    if (this.windowCount === 0) throw new RangeError(`${tokens.length} tokens make no window`);
    this.#shuffled = new Uint32Array(this.windowCount);
    this.position = options.position ?? 0;
  }

  /** Passes over the tokens so far, as a fraction: 1.5 is in the middle of the second. */
  get epoch(): number {
    return this.position / this.windowCount;
  }

  /** The next B windows, or what is left of them before `end`. */
  next(): Batch {
    this.#batch.begin();
    for (let b = 0; b < this.#options.batchSize && this.position < this.end; b++) {
      const epoch = Math.floor(this.position / this.windowCount);
      if (epoch !== this.#shuffledEpoch) this.#shuffle(epoch);
      this.#batch.add(this.#shuffled[this.position % this.windowCount]);
      this.position++;
    }
    const { inputs, targets, targetCount } = this.#batch.finish();
    this.#groups.group(inputs);
    const { order, segments, count } = this.#groups;
    return { inputs, targets, targetCount, order, segments, segmentCount: count };
  }

  /** Fisher and Yates's shuffle, in Durstenfeld's form. */
  #shuffle(epoch: number): void {
    const windows = this.#shuffled;
    const random = new Random(this.#options.seed, SHUFFLE_STREAM + epoch);
    for (let i = 0; i < windows.length; i++) windows[i] = i;
    for (let i = windows.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      const window = windows[i];
      windows[i] = windows[j];
      windows[j] = window;
    }
    this.#shuffledEpoch = epoch;
  }
}

interface ValidationBatchesOptions {
  /** T. */
  contextLength: number;
  /** B. */
  batchSize: number;
  /** How many batches at most; null: the whole split. */
  batches: number | null;
}

/**
 * The same windows at every evaluation: all of them in order, or `batches`·B spread evenly over the split. The last
 * batch is filled up with ignored rows. Losses weighted by `targetCount` average to the mean over all targets.
 */
export class ValidationBatches implements Iterable<EvaluationBatch> {
  /** Windows that one pass takes. */
  readonly windowCount: number;
  readonly #available: number;
  readonly #batchSize: number;
  readonly #batch: BatchBuffers;

  constructor(tokens: TokenSource, options: ValidationBatchesOptions) {
    this.#batchSize = options.batchSize;
    this.#available = windowsIn(tokens.length, options.contextLength);
    this.windowCount = options.batches === null
      ? this.#available
      : Math.min(options.batches * options.batchSize, this.#available);
    this.#batch = new BatchBuffers(tokens, options.contextLength, options.batchSize);
  }

  /** Batches in one pass; 0 where the split has fewer than two tokens. */
  get batchCount(): number {
    return Math.ceil(this.windowCount / this.#batchSize);
  }

  *[Symbol.iterator](): Generator<EvaluationBatch> {
    for (let first = 0; first < this.windowCount; first += this.#batchSize) {
      this.#batch.begin();
      for (let i = first; i < Math.min(first + this.#batchSize, this.windowCount); i++) {
        this.#batch.add(Math.floor(i * this.#available / this.windowCount));
      }
      yield this.#batch.finish();
    }
  }
}

/** One batch's arrays, filled window by window. */
class BatchBuffers {
  readonly #inputs: Uint32Array<ArrayBuffer>;
  readonly #targets: Uint32Array<ArrayBuffer>;
  /** Rows filled, and how many of them have a target. */
  #rows = 0;
  #targetCount = 0;

  constructor(readonly tokens: TokenSource, readonly contextLength: number, batchSize: number) {
    this.#inputs = new Uint32Array(batchSize * contextLength);
    this.#targets = new Uint32Array(batchSize * contextLength);
  }

  begin(): void {
    this.#inputs.fill(0);
    this.#targets.fill(IGNORED_TARGET);
    this.#rows = 0;
    this.#targetCount = 0;
  }

  add(window: number): void {
    const start = window * this.contextLength;
    const targetCount = Math.min(this.contextLength, this.tokens.length - 1 - start);
    const tokens = this.tokens.read(start, targetCount + 1);
    for (let t = 0; t < targetCount; t++) {
      this.#inputs[this.#rows + t] = tokens[t];
      this.#targets[this.#rows + t] = tokens[t + 1];
    }
    this.#rows += this.contextLength;
    this.#targetCount += targetCount;
  }

  finish(): EvaluationBatch {
    return { inputs: this.#inputs, targets: this.#targets, targetCount: this.#targetCount };
  }
}
