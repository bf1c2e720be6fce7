import assert from "node:assert/strict";
import { dropout } from "#kernels/dropout.ts";
import { residualForward } from "#kernels/residual_forward.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import { dropout as dropoutTwin } from "../../reference/dropout.ts";
import { Random } from "../../reference/random.ts";
import { residual } from "../../reference/residual.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { assertClose, assertSameBits, F32_EPSILON, Workbench } from "../workbench.ts";

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
  const elements = rows * channels;
  const y = bench.output("factors", [rows, channels]);
  const bindings = {
    step: bench.step({ seed }),
    x: bench.tensor("ones", [elements], new Float64Array(elements).fill(1)),
    y,
  };
  bench.plan.record(dropout, bindings, { elements, channels, site, dropout: rate });
  bench.run();
  bench.plan.free();
  return bench.read(y);
}

const SIZES = [[1, 1], [1, 63], [3, 64], [5, 13], [51, 48]];

export const cases: GpuCase[] = [
  ...SIZES.flatMap(([rows, channels]) =>
    [0, 0.1, 0.5].map((rate): GpuCase => ({
      name: `residual and dropout of ${rows} × ${channels} at rate ${rate}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const [seed, site] = [0xdead_beef, 7];
          const random = new Random(rows + channels);
          const elements = rows * channels;
          const [x, branch] = [random.normals(elements), random.normals(elements)];
          const mask = dropoutFactors(rate, seed, site, rows, channels);
          const [sum, dropped] = [
            bench.output("residual", [rows, channels]),
            bench.output("dropout", [rows, channels]),
          ];
          const dims = { elements, channels, site, dropout: rate };
          const branchTensor = bench.tensor("branch", [rows, channels], branch);
          const step = bench.step({ seed });
          bench.plan.record(residualForward, {
            step,
            x: bench.tensor("x", [elements], x),
            branch: branchTensor,
            y: sum,
          }, dims);
          bench.plan.record(dropout, { step, x: branchTensor, y: dropped }, dims);
          bench.run();
          await bench.expect(sum, residual(x, dropoutTwin(branch, mask)), TOLERANCE);
          await bench.expect(dropped, dropoutTwin(branch, mask), TOLERANCE);
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
