import {
  layernormBackward,
  layernormBackwardDropout,
  layernormBackwardResidual,
  layernormBackwardResidualDropout,
} from "#kernels/layernorm_backward.ts";
import { layernormBackwardParameters } from "#kernels/layernorm_backward_parameters.ts";
import { layernormForward } from "#kernels/layernorm_forward.ts";
import type { MatrixStorage } from "#src/gpu/matrix.ts";
import type { Matrix } from "#src/gpu/matrix.ts";
import * as twin from "../../reference/layernorm.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { arenaStorage, asStored, F32_EPSILON, storagesFor, Workbench } from "../workbench.ts";

/** Rows and channels around the 8 and 64 lanes of the variants, and the widths of the whole-model tests. */
const SIZES = [[1, 1], [1, 7], [3, 8], [5, 9], [51, 48], [7, 33], [4, 63], [3, 64], [2, 65], [9, 260]];

/** Activations and weights as `storage` holds them; gradients that were there before as an arena of f32 does. */
function exampleOf(rows: number, channels: number, mean: number, storage: MatrixStorage) {
  const random = new Random(rows * 1000 + channels);
  const normals = (length: number, deviation = 1, mean = 0) =>
    asStored(random.normals(length, deviation, mean), storage);
  return {
    x: normals(rows * channels, 1, mean),
    weight: normals(channels, 0.5, 1),
    bias: normals(channels),
    dY: normals(rows * channels),
    before: normals(rows * channels),
    dWeightBefore: random.normals(channels),
    dBiasBefore: random.normals(channels),
  };
}

/** The forward pass's, as the twin has them. */
function statisticsOf(bench: Workbench, x: Float64Array, rows: number, channels: number) {
  const { mean, inverseDeviation } = twin.layernorm(x, new Float64Array(channels), null, { N: rows, C: channels });
  return { mean: bench.tensor("mean", [rows], mean), rstd: bench.tensor("rstd", [rows], inverseDeviation) };
}

const plus = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + b[i]);

function forwardCase(rows: number, channels: number, mean: number): GpuCase {
  return {
    name: `forward of ${rows} × ${channels} around ${mean}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { rows, channels, epsilon: 1e-5 };
        // Far from 0 the mean's own rounding shows in the difference.
        const tolerance = F32_EPSILON * (4 * Math.sqrt(channels) + 8 * Math.abs(mean));
        for (const storage of storagesFor(gpu, channels)) {
          const example = exampleOf(rows, channels, mean, storage);
          const { x, weight, bias } = example;
          const expected = twin.layernorm(x, weight, bias, { N: rows, C: channels });
          for (const { name, kernel } of variantsOf(layernormForward, dims, gpu)) {
            const inputs = {
              x: bench.matrix("x", rows, channels, x, storage),
              weight: bench.matrix("weight", 1, channels, weight, storage),
              bias: bench.matrix("bias", 1, channels, bias, storage),
            };
            const outputs = {
              y: bench.outputMatrix(`y of ${name}`, rows, channels, storage),
              mean: bench.output(`mean of ${name}`, [rows]),
              rstd: bench.output(`rstd of ${name}`, [rows]),
            };
            bench.plan.record(kernel, { ...inputs, ...outputs }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(outputs.y, expected.out, tolerance);
            await bench.expectWithin(outputs.mean, expected.mean, () => tolerance * (1 + Math.abs(mean)));
            await bench.expect(outputs.rstd, expected.inverseDeviation, tolerance);
          }
        }
      }),
  };
}

/** dx written and dx on top of a residual's gradient, each with and without a dropout after it. */
function backwardCase(rows: number, channels: number): GpuCase {
  return {
    name: `backward of ${rows} × ${channels}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { rows, channels, site: 3, dropout: 0.4 };
        const tolerance = 8 * F32_EPSILON * Math.sqrt(Math.max(rows, channels));
        const step = bench.step({ seed: 17 });
        const mask = dropoutFactors(0.4, 17, 3, rows, channels);
        for (const storage of storagesFor(gpu, channels)) {
          const { x, weight, dY, before } = exampleOf(rows, channels, 0.5, storage);
          const { dX } = twin.layernormBackward(dY, x, weight, { N: rows, C: channels });
          const inputs = {
            ...statisticsOf(bench, x, rows, channels),
            dy: bench.matrix("dy", rows, channels, dY, storage),
            x: bench.matrix("x", rows, channels, x, storage),
            weight: bench.matrix("weight", 1, channels, weight, storage),
          };
          const dresidual = bench.matrix("dresidual", rows, channels, before, storage);
          for (const { name, kernel } of variantsOf(layernormBackward, dims, gpu)) {
            const dx = bench.outputMatrix(`dx of ${name}`, rows, channels, storage);
            bench.plan.record(kernel, { ...inputs, dx }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(dx, dX, tolerance);
          }
          for (const { name, kernel } of variantsOf(layernormBackwardResidual, dims, gpu)) {
            const dx = bench.outputMatrix(`dx of ${name}`, rows, channels, storage);
            bench.plan.record(kernel, { ...inputs, dresidual, dx }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(dx, plus(dX, before), tolerance);
          }
          const dropped = async (expected: Float64Array, record: (dx: Matrix, dbranch: Matrix) => void) => {
            const [dx, dbranch] = ["dx", "dbranch"].map((name) => bench.outputMatrix(name, rows, channels, storage));
            record(dx, dbranch);
            bench.run();
            bench.plan.free();
            await bench.expect(dx, expected, tolerance);
            await bench.expect(dbranch, expected.map((value, i) => value * mask[i]), tolerance);
          };
          for (const { kernel } of variantsOf(layernormBackwardDropout, dims, gpu)) {
            await dropped(dX, (dx, dbranch) => bench.plan.record(kernel, { ...inputs, step, dx, dbranch }, dims));
          }
          for (const { kernel } of variantsOf(layernormBackwardResidualDropout, dims, gpu)) {
            await dropped(
              plus(dX, before),
              (dx, dbranch) => bench.plan.record(kernel, { ...inputs, step, dresidual, dx, dbranch }, dims),
            );
          }
        }
      }),
  };
}

/** Gradients accumulate, and are f32 whatever the activations are. */
function parametersCase(rows: number, channels: number): GpuCase {
  return {
    name: `gradients of the parameters from ${rows} × ${channels}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { rows, channels };
        const tolerance = 8 * F32_EPSILON * Math.sqrt(Math.max(rows, channels));
        const arena = arenaStorage(channels);
        for (const storage of storagesFor(gpu, channels)) {
          const { x, weight, dY, dWeightBefore, dBiasBefore } = exampleOf(rows, channels, 0.5, storage);
          const { dWeight, dBias } = twin.layernormBackward(dY, x, weight, { N: rows, C: channels });
          const inputs = {
            ...statisticsOf(bench, x, rows, channels),
            dy: bench.matrix("dy", rows, channels, dY, storage),
            x: bench.matrix("x", rows, channels, x, storage),
          };
          for (const { name, kernel } of variantsOf(layernormBackwardParameters, dims, gpu)) {
            const dweight = bench.matrix(`dweight of ${name}`, 1, channels, dWeightBefore, arena);
            const dbias = bench.matrix(`dbias of ${name}`, 1, channels, dBiasBefore, arena);
            bench.plan.record(kernel, { ...inputs, dweight, dbias }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(dweight, plus(dWeight, dWeightBefore), tolerance);
            await bench.expect(dbias, plus(dBias, dBiasBefore), tolerance);
          }
        }
      }),
  };
}

export const cases: GpuCase[] = [
  ...SIZES.flatMap(([rows, channels]) => [
    forwardCase(rows, channels, 0),
    backwardCase(rows, channels),
    parametersCase(rows, channels),
  ]),
  // Sums of squares that were not taken from the mean would lose every digit of the variance here.
  forwardCase(5, 65, 1000),
];
