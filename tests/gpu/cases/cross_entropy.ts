import { crossEntropy } from "#kernels/cross_entropy.ts";
import { lossSum } from "#kernels/loss_sum.ts";
import * as twin from "../../reference/cross_entropy.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { assertSameBits, F32_EPSILON, Workbench } from "../workbench.ts";

interface Example {
  rows: number;
  V: number;
  stride: number;
  ignored: "none" | "some" | "all";
  /** Standard deviation of the logits. */
  deviation: number;
}

const EXAMPLES: Example[] = [
  ...[1, 2, 7, 8, 9, 63, 64, 65, 257].map((V): Example => (
    { rows: 5, V, stride: Math.ceil(V / 4) * 4, ignored: "none", deviation: 2 }
  )),
  { rows: 1, V: 65, stride: 65, ignored: "none", deviation: 1 },
  { rows: 51, V: 65, stride: 128, ignored: "some", deviation: 1 },
  { rows: 64, V: 33, stride: 36, ignored: "all", deviation: 1 },
  { rows: 9, V: 65, stride: 68, ignored: "some", deviation: 100 },
];

function inputs({ rows, V, stride, ignored, deviation }: Example) {
  const random = new Random(rows + V);
  const logits = random.normals(rows * V, deviation);
  const targets = random.integers(rows, V);
  targets.forEach((_, n) => {
    if (ignored === "all" || (ignored === "some" && n % 3 === 1)) targets[n] = twin.IGNORED;
  });
  return { logits, targets, padded: pad(logits, V, stride, NaN) };
}

/** Rows of `V` laid `stride` apart, `filler` between. */
function pad(rows: Float64Array, V: number, stride: number, filler: number): Float64Array {
  const padded = new Float64Array(rows.length / V * stride).fill(filler);
  for (let n = 0; n < rows.length / V; n++) padded.set(rows.subarray(n * V, (n + 1) * V), n * stride);
  return padded;
}

function exampleCase(example: Example): GpuCase {
  const { rows, V, stride, ignored, deviation } = example;
  return {
    name: `${rows} rows of ${V}, ${stride} apart, deviation ${deviation}, ${ignored} ignored`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const { logits, targets, padded } = inputs(example);
        const { losses, counted } = twin.crossEntropy(logits, targets, { N: rows, V });
        const gradient = twin.crossEntropyBackward(logits, targets, { N: rows, V });
        // exp is granted 3 + 2·|x| units by WGSL: the terms that matter have |x| of a few.
        const tolerance = F32_EPSILON * (32 + 4 * Math.sqrt(V) + deviation);
        // A batch of several chunks has more targets than these rows: any factor must do.
        const inverseTargets = 0.25;
        const scaled = gradient.map((g) => g * counted * inverseTargets);
        const step = bench.step({ inverseTargets });
        const targetsTensor = bench.tensor("targets", [rows], targets);
        for (const gradientWanted of [0, 1]) {
          const dims = { rows, vocabulary: V, stride, gradient: gradientWanted };
          for (const { name, kernel } of variantsOf(crossEntropy, dims)) {
            const logitsTensor = bench.tensor(`logits of ${name}`, [rows, stride], padded);
            const lossesTensor = bench.output(`losses of ${name}`, [rows]);
            bench.plan.record(
              kernel,
              { step, targets: targetsTensor, logits: logitsTensor, losses: lossesTensor },
              dims,
            );
            bench.run();
            bench.plan.free();
            await bench.expectWithin(
              lossesTensor,
              losses,
              (i) => ignored === "all" || losses[i] === 0 ? 0 : tolerance * Math.max(1, losses[i]),
            );
            if (gradientWanted) await bench.expect(logitsTensor, pad(scaled, V, stride, 0), tolerance);
            else assertSameBits("logits", await bench.read(logitsTensor), Float32Array.from(padded));
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
