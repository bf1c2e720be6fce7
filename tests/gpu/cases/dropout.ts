import assert from "node:assert/strict";
import { dropout } from "#kernels/dropout.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import { dropout as dropoutTwin } from "../../reference/dropout.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import {
  arenaStorage,
  assertClose,
  assertSameBits,
  asStored,
  F32_EPSILON,
  storagesFor,
  Workbench,
} from "../workbench.ts";

/** One product, by a quotient: a few roundings. */
const TOLERANCE = 4 * F32_EPSILON;

/** What the kernel multiplies by, element by element. */
function factors(
  bench: Workbench,
  rate: number,
  seed: number,
  site: number,
  rows: number,
  channels: number,
): Promise<Float32Array<ArrayBuffer>> {
  const storage = arenaStorage(channels);
  const y = bench.outputMatrix("factors", rows, channels, storage);
  const ones = new Float64Array(rows * channels).fill(1);
  const bindings = { step: bench.step({ seed }), x: bench.matrix("ones", rows, channels, ones, storage), y };
  bench.plan.record(dropout, bindings, { rows, channels, site, dropout: rate });
  bench.run();
  bench.plan.free();
  return bench.read(y);
}

const SIZES = [[1, 1], [1, 63], [3, 64], [5, 13], [51, 48], [9, 260]];

export const cases: GpuCase[] = [
  ...SIZES.flatMap(([rows, channels]) =>
    [0, 0.1, 0.5].map((rate): GpuCase => ({
      name: `${rows} × ${channels} at rate ${rate}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const [seed, site] = [0xdead_beef, 7];
          const mask = dropoutFactors(rate, seed, site, rows, channels);
          const dims = { rows, channels, site, dropout: rate };
          const step = bench.step({ seed });
          for (const storage of storagesFor(gpu, channels)) {
            const values = asStored(new Random(rows + channels).normals(rows * channels), storage);
            const x = bench.matrix("x", rows, channels, values, storage);
            for (const { name, kernel } of variantsOf(dropout, dims, gpu)) {
              const y = bench.outputMatrix(`y of ${name}`, rows, channels, storage);
              bench.plan.record(kernel, { step, x, y }, dims);
              bench.run();
              bench.plan.free();
              await bench.expect(y, dropoutTwin(values, mask), TOLERANCE);
            }
          }
        }),
    }))
  ),
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
