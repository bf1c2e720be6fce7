import assert from "node:assert/strict";
import { embeddingForward } from "#kernels/embedding_forward.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { arenaStorage, assertClose, assertSameBits, F32_EPSILON, Workbench } from "../workbench.ts";

/** One product, by a quotient: a few roundings. */
const TOLERANCE = 4 * F32_EPSILON;

/** What a dropout multiplies by, element by element: the embedding's, of ones. */
function factors(
  bench: Workbench,
  rate: number,
  seed: number,
  site: number,
  rows: number,
  channels: number,
): Promise<Float32Array<ArrayBuffer>> {
  const storage = arenaStorage(channels);
  const x = bench.outputMatrix("factors", rows, channels, storage);
  const bindings = {
    step: bench.step({ seed }),
    tokens: bench.tensor("tokens", [rows], new Uint32Array(rows)),
    table: bench.matrix("ones", 1, channels, new Float64Array(channels).fill(1), storage),
    positions: bench.matrix("zeros", 1, channels, new Float64Array(channels), storage),
    x,
  };
  const dims = { rows, channels, context: 1, first_token: 0, shard_rows: 1, site, dropout: rate };
  bench.plan.record(embeddingForward, bindings, dims);
  bench.run();
  bench.plan.free();
  return bench.read(x);
}

export const cases: GpuCase[] = [
  ...[[1, 1], [3, 64], [5, 13], [9, 260]].map(([rows, channels]): GpuCase => ({
    name: `${rows} × ${channels} as the twin draws them`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const mask = await factors(bench, 0.3, 0xdead_beef, 7, rows, channels);
        assertClose("factors", mask, dropoutFactors(0.3, 0xdead_beef, 7, rows, channels), TOLERANCE);
      }),
  })),
  {
    name: "the same seed and site draw the same mask, others draw others",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const mask = await factors(bench, 0.5, 1, 2, 31, 33);
        assertSameBits("mask", mask, await factors(bench, 0.5, 1, 2, 31, 33));
        for (const [seed, site] of [[2, 2], [1, 3], [2, 1]]) {
          const other = await factors(bench, 0.5, seed, site, 31, 33);
          const equal = mask.filter((v, i) => v === other[i]).length;
          // Independent masks agree in half of their 1023 elements, ± 16: five deviations are 80.
          assert.ok(Math.abs(equal - 1023 / 2) < 80, `seed ${seed}, site ${site}: ${equal} of 1023 elements agree`);
        }
      }),
  },
  ...[0.1, 0.5, 0.9].map((rate): GpuCase => ({
    name: `drops a share of ${rate}, neighbours apart from each other, and keeps the mean`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const [rows, channels] = [257, 129];
        const mask = await factors(bench, rate, 1337, 0, rows, channels);
        const dropped = (i: number) => Number(mask[i] === 0);
        const share = (hit: (i: number) => number, first: number) => {
          let hits = 0;
          for (let i = first; i < mask.length; i++) hits += hit(i);
          return hits / (mask.length - first);
        };
        const assertShare = (what: string, actual: number, expected: number) => {
          const deviation = Math.sqrt(expected * (1 - expected) / mask.length);
          assert.ok(
            Math.abs(actual - expected) < 5 * deviation,
            `${what}: ${actual}, expected ${expected} ± ${deviation}`,
          );
        };
        assertShare("dropped", share(dropped, 0), rate);
        assertShare("dropped beside a dropped one", share((i) => dropped(i) * dropped(i - 1), 1), rate ** 2);
        assertShare(
          "dropped below a dropped one",
          share((i) => dropped(i) * dropped(i - channels), channels),
          rate ** 2,
        );
        const kept = mask.filter((v) => v !== 0);
        assertClose("factors of what is kept", kept, new Float64Array(kept.length).fill(1 / (1 - rate)), TOLERANCE);
      }),
  })),
];
