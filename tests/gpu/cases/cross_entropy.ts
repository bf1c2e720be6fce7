import { crossEntropy, crossEntropyTextures } from "#kernels/cross_entropy.ts";
import { lossSum } from "#kernels/loss_sum.ts";
import { matrixColumns, type MatrixStorage, matrixStride } from "#src/gpu/matrix.ts";
import type { Tensor } from "#src/gpu/memory.ts";
import * as twin from "../../reference/cross_entropy.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { assertSameBits, asStored, F32_EPSILON, storagesFor, Workbench } from "../workbench.ts";

interface Example {
  rows: number;
  V: number;
  ignored?: "some" | "all";
  /** Standard deviation of the logits. */
  deviation?: number;
  /** Each logit larger than those before: the running maximum never rests. */
  ascending?: boolean;
}

const EXAMPLES: Example[] = [
  ...[1, 2, 7, 8, 9, 63, 64, 65, 260].map((V): Example => ({ rows: 5, V, deviation: 2 })),
  { rows: 1, V: 65 },
  { rows: 51, V: 65, ignored: "some" },
  { rows: 64, V: 33, ignored: "all" },
  { rows: 9, V: 65, ignored: "some", deviation: 100 },
  { rows: 9, V: 65, deviation: 20, ascending: true },
  { rows: 5, V: 50_257 },
];

function exampleOf({ rows, V, ignored, deviation, ascending }: Example, storage: MatrixStorage) {
  const random = new Random(rows + V);
  const logits = asStored(random.normals(rows * V, deviation), storage);
  if (ascending) { for (let n = 0; n < rows; n++) logits.subarray(n * V, (n + 1) * V).sort(); }
  const targets = random.integers(rows, V);
  targets.forEach((_, n) => {
    if (ignored === "all" || (ignored === "some" && n % 3 === 1)) targets[n] = twin.IGNORED;
  });
  return { logits, targets };
}

/** What a matrix of logits has from V to the next vec4 is nobody's. */
function logitsMatrix(bench: Workbench, logits: Float64Array, V: number, storage: MatrixStorage) {
  const rows = logits.length / V;
  const stride = matrixStride(V, storage);
  const padded = new Float64Array(rows * stride).fill(NaN);
  for (let n = 0; n < rows; n++) padded.set(logits.subarray(n * V, (n + 1) * V), n * stride);
  const whole = bench.matrix("logits", rows, stride, padded, storage);
  return { whole, padded, logits: matrixColumns(whole, 0, V) };
}

function exampleCase(example: Example): GpuCase {
  const { rows, V, ignored = "none", deviation = 1, ascending } = example;
  return {
    name: `${rows} rows of ${V}, deviation ${deviation}${ascending ? ", ascending" : ""}, ${ignored} ignored`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        // exp is granted 3 + 2·|x| units by WGSL: the terms that matter have |x| of a few.
        const tolerance = F32_EPSILON * (32 + 4 * Math.sqrt(V) + deviation);
        // A batch of several chunks has more targets than these rows: any factor must do.
        const [inverseTargets, scale] = [0.25, 8];
        const step = bench.step({ inverseTargets });
        for (const storage of storagesFor(gpu, Math.ceil(V / 4) * 4)) {
          const { logits, targets } = exampleOf(example, storage);
          const { losses, counted } = twin.crossEntropy(logits, targets, { N: rows, V });
          const gradient = twin.crossEntropyBackward(logits, targets, { N: rows, V });
          const scaled = gradient.map((g) => g * counted * inverseTargets * scale);
          const loss_scale = bench.tensor("loss scale", [2], Float64Array.of(scale, 0));
          const inputs = { step, loss_scale, targets: bench.tensor("targets", [rows], targets) };
          const expectLosses = (tensor: Tensor) =>
            bench.expectWithin(tensor, losses, (i) => losses[i] === 0 ? 0 : tolerance * Math.max(1, losses[i]));
          for (const wanted of [0, 1]) {
            const dims = { rows, vocabulary: V, gradient: wanted };
            for (const { name, kernel } of variantsOf(crossEntropyTextures, dims, gpu)) {
              const lossesTensor = bench.output(`losses of ${name}`, [rows]);
              const dlogits = bench.outputMatrix(`dlogits of ${name}`, rows, V, storage);
              const held = logitsMatrix(bench, logits, V, storage);
              bench.plan.record(kernel, { ...inputs, logits: held.logits, dlogits, losses: lossesTensor }, dims);
              bench.run();
              bench.plan.free();
              await expectLosses(lossesTensor);
              if (wanted) await bench.expect(dlogits, scaled, tolerance);
            }
            if (storage.kind === "texture") continue;
            for (const { name, kernel } of variantsOf(crossEntropy, dims, gpu)) {
              const lossesTensor = bench.output(`losses of ${name}`, [rows]);
              const held = logitsMatrix(bench, logits, V, storage);
              bench.plan.record(kernel, { ...inputs, logits: held.logits, losses: lossesTensor }, dims);
              bench.run();
              bench.plan.free();
              await expectLosses(lossesTensor);
              if (wanted) await bench.expect(held.logits, scaled, tolerance);
              else assertSameBits("logits", await bench.read(held.whole), Float32Array.from(held.padded));
            }
          }
        }
      }),
  };
}

export const cases: GpuCase[] = [
  ...EXAMPLES.map(exampleCase),
  ...[1, 63, 64, 65, 1000].map((rows): GpuCase => ({
    name: `sum of ${rows} losses, added to what was there`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const losses = new Random(rows).normals(rows, 1, 4);
        const total = bench.tensor("total", [1], Float64Array.of(3));
        bench.plan.record(lossSum, { losses: bench.tensor("losses", [rows], losses), total }, { rows });
        bench.run();
        const expected = losses.reduce((sum, loss) => sum + loss, 3);
        await bench.expect(total, Float64Array.of(expected), F32_EPSILON * Math.sqrt(rows));
      }),
  })),
];
