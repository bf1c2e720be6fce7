import { layernormBackward } from "#kernels/layernorm_backward.ts";
import { layernormBackwardParameters } from "#kernels/layernorm_backward_parameters.ts";
import { layernormForward } from "#kernels/layernorm_forward.ts";
import * as twin from "../../reference/layernorm.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { F32_EPSILON, Workbench } from "../workbench.ts";

/** Rows and channels around the 8 and 64 lanes of the variants, and the widths of the whole-model tests. */
const SIZES = [[1, 1], [1, 7], [3, 8], [5, 9], [51, 48], [7, 33], [4, 63], [3, 64], [2, 65], [2, 257]];

function example(rows: number, channels: number, mean: number) {
  const random = new Random(rows * 1000 + channels);
  return {
    x: random.normals(rows * channels, 1, mean),
    weight: random.normals(channels, 0.5, 1),
    bias: random.normals(channels),
    dY: random.normals(rows * channels),
    before: random.normals(rows * channels),
    dWeightBefore: random.normals(channels),
    dBiasBefore: random.normals(channels),
  };
}

const plus = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + b[i]);

function forwardCase(rows: number, channels: number, mean: number): GpuCase {
  return {
    name: `forward of ${rows} × ${channels} around ${mean}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const { x, weight, bias } = example(rows, channels, mean);
        const expected = twin.layernorm(x, weight, bias, { N: rows, C: channels });
        // Far from 0 the mean's own rounding shows in the difference.
        const tolerance = F32_EPSILON * (4 * Math.sqrt(channels) + 8 * Math.abs(mean));
        const dims = { rows, channels, epsilon: 1e-5 };
        for (const { name, kernel } of variantsOf(layernormForward, dims)) {
          const y = bench.output(`y of ${name}`, [rows, channels]);
          const outputs = {
            y,
            mean: bench.output(`mean of ${name}`, [rows]),
            rstd: bench.output(`rstd of ${name}`, [rows]),
          };
          const inputs = {
            x: bench.tensor("x", [rows, channels], x),
            weight: bench.tensor("weight", [channels], weight),
            bias: bench.tensor("bias", [channels], bias),
          };
          bench.plan.record(kernel, { ...inputs, ...outputs }, dims);
          bench.run();
          await bench.expect(y, expected.out, tolerance);
          await bench.expectWithin(outputs.mean, expected.mean, () => tolerance * (1 + Math.abs(mean)));
          await bench.expect(outputs.rstd, expected.inverseDeviation, tolerance);
        }
      }),
  };
}

function backwardCase(rows: number, channels: number): GpuCase {
  return {
    name: `backward of ${rows} × ${channels}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const { x, weight, dY, before, dWeightBefore, dBiasBefore } = example(rows, channels, 0.5);
        const expected = twin.layernormBackward(dY, x, weight, { N: rows, C: channels });
        const statistics = twin.layernorm(x, weight, null, { N: rows, C: channels });
        const tolerance = 8 * F32_EPSILON * Math.sqrt(Math.max(rows, channels));
        const inputs = {
          dy: bench.tensor("dy", [rows, channels], dY),
          x: bench.tensor("x", [rows, channels], x),
          mean: bench.tensor("mean", [rows], statistics.mean),
          rstd: bench.tensor("rstd", [rows], statistics.inverseDeviation),
        };
        const scale = bench.tensor("weight", [channels], weight);
        for (const accumulate of [0, 1]) {
          const dims = { rows, channels, accumulate };
          for (const { name, kernel } of variantsOf(layernormBackward, dims)) {
            const dx = accumulate
              ? bench.tensor(`dx += of ${name}`, [rows, channels], before)
              : bench.output(`dx of ${name}`, [rows, channels]);
            bench.plan.record(kernel, { ...inputs, weight: scale, dx }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(dx, accumulate ? plus(expected.dX, before) : expected.dX, tolerance);
          }
        }
        for (const { name, kernel } of variantsOf(layernormBackwardParameters, { rows, channels })) {
          const dweight = bench.tensor(`dweight of ${name}`, [channels], dWeightBefore);
          const dbias = bench.tensor(`dbias of ${name}`, [channels], dBiasBefore);
          bench.plan.record(kernel, { ...inputs, dweight, dbias }, { rows, channels });
          bench.run();
          bench.plan.free();
          await bench.expect(dweight, plus(expected.dWeight, dWeightBefore), tolerance);
          await bench.expect(dbias, plus(expected.dBias, dBiasBefore), tolerance);
        }
      }),
  };
}

export const cases: GpuCase[] = [
  ...SIZES.flatMap(([rows, channels]) => [forwardCase(rows, channels, 0), backwardCase(rows, channels)]),
  // Sums of squares that were not taken from the mean would lose every digit of the variance here.
  forwardCase(5, 65, 1000),
];
