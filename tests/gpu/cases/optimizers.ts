import assert from "node:assert/strict";
import { adamw } from "#kernels/adamw.ts";
import { gradientNorm } from "#kernels/gradient_norm.ts";
import { sgd } from "#kernels/sgd.ts";
import { sgdMomentum } from "#kernels/sgd_momentum.ts";
import { SUM_VECTORS } from "#kernels/shared/sum_vectors.ts";
import { sumOfSquares } from "#kernels/sum_of_squares.ts";
import { clipFactor, globalNorm } from "../../reference/gradient_norm.ts";
import * as twin from "../../reference/optimizers.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { assertSameBits, F32_EPSILON, Workbench } from "../workbench.ts";

/** Vectors of four around a workgroup's 64. */
const VECTORS = [1, 63, 64, 65];
const CLIP_FACTOR = 0.25;
const NON_FINITE = [NaN, Infinity, -Infinity];

function example(vectors: number) {
  const random = new Random(vectors);
  const size = vectors * 4;
  return {
    weights: random.normals(size),
    gradients: random.normals(size, 0.1),
    first: random.normals(size, 0.1),
    second: random.normals(size, 0.1).map((v) => Math.fround(v * v)),
  };
}

type Buffers = Record<"weights" | "gradients" | "first" | "second", ReturnType<Workbench["tensor"]>>;

interface Optimizer {
  name: string;
  step: Parameters<Workbench["step"]>[0];
  record(
    bench: Workbench,
    step: ReturnType<Workbench["step"]>,
    norm: ReturnType<Workbench["tensor"]>,
    buffers: Buffers,
  ): void;
  /** Updates the example in place. */
  twin(values: ReturnType<typeof example>): void;
}

const clipped = (gradients: Float64Array) => gradients.map((g) => g * CLIP_FACTOR);

const adamwOf = (step: number, weightDecay: number, epsilon: number): Optimizer => {
  const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon, weightDecay };
  return {
    name: `adamw, step ${step}, decay ${weightDecay}, epsilon ${epsilon}`,
    step: { learningRate: 0.01, correction1: 1 - 0.9 ** step, correction2: 1 - 0.99 ** step },
    record: (bench, uniform, norm, { weights, gradients, first, second }) =>
      bench.plan.record(
        adamw,
        { step: uniform, norm, gradients, parameters: weights, first_moments: first, second_moments: second },
        {
          vectors: weights.size / 16,
          beta1: 0.9,
          beta2: 0.99,
          one_minus_beta1: 1 - 0.9,
          one_minus_beta2: 1 - 0.99,
          epsilon,
          weight_decay: weightDecay,
        },
      ),
    twin: ({ weights, gradients, first, second }) =>
      twin.adamw(weights, clipped(gradients), first, second, step, settings),
  };
};

const OPTIMIZERS: Optimizer[] = [
  adamwOf(1, 0.1, 1e-8),
  adamwOf(1000, 0, 1e-3),
  {
    name: "sgd",
    step: { learningRate: 0.5 },
    record: (bench, step, norm, { weights, gradients }) =>
      bench.plan.record(sgd, { step, norm, gradients, parameters: weights }, { vectors: weights.size / 16 }),
    twin: ({ weights, gradients }) =>
      twin.sgd(weights, clipped(gradients), new Float64Array(weights.length), { learningRate: 0.5, momentum: 0 }),
  },
  {
    name: "sgd with momentum",
    step: { learningRate: 0.5 },
    record: (bench, step, norm, { weights, gradients, first }) =>
      bench.plan.record(
        sgdMomentum,
        { step, norm, gradients, parameters: weights, velocity: first },
        { vectors: weights.size / 16, momentum: 0.9 },
      ),
    twin: ({ weights, gradients, first }) =>
      twin.sgd(weights, clipped(gradients), first, { learningRate: 0.5, momentum: 0.9 }),
  },
];

function updateCases(optimizer: Optimizer): GpuCase[] {
  const buffersOf = (bench: Workbench, values: ReturnType<typeof example>): Buffers => {
    const tensor = (name: keyof Buffers) => bench.tensor(name, [values[name].length], values[name]);
    return {
      weights: tensor("weights"),
      gradients: tensor("gradients"),
      first: tensor("first"),
      second: tensor("second"),
    };
  };
  const names = ["weights", "gradients", "first", "second"] as const;
  return [
    ...VECTORS.map((vectors): GpuCase => ({
      name: `${optimizer.name}: ${vectors} vectors`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const values = example(vectors);
          const buffers = buffersOf(bench, values);
          const norm = bench.tensor("norm", [2], Float64Array.of(4, CLIP_FACTOR));
          optimizer.record(bench, bench.step(optimizer.step), norm, buffers);
          bench.run();
          optimizer.twin(values);
          // 1 − β₂ of an f32 β₂ is off by up to 2⁻²⁵ / 0.01 of itself.
          for (const name of names) await bench.expect(buffers[name], values[name], 64 * F32_EPSILON);
        }),
    })),
    {
      name: `${optimizer.name}: a norm that is not finite changes nothing`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          for (const bad of NON_FINITE) {
            const values = example(65);
            const buffers = buffersOf(bench, values);
            const norm = bench.tensor("norm", [2], Float64Array.of(bad, 1));
            optimizer.record(bench, bench.step(optimizer.step), norm, buffers);
            bench.run();
            bench.plan.free();
            for (const name of names) {
              assertSameBits(
                `${name} at norm ${bad}`,
                await bench.read(buffers[name]),
                Float32Array.from(values[name]),
              );
            }
          }
        }),
    },
  ];
}

/** Norm and clip factor of several gradients, each its own sums. */
async function norm(bench: Workbench, gradients: Float64Array[], clip: number): Promise<number[]> {
  const counts = gradients.map((gradient) => Math.ceil(gradient.length / 4 / SUM_VECTORS));
  const total = counts.reduce((a, b) => a + b, 0);
  const partials = bench.output("partials", [total]);
  gradients.forEach((gradient, i) => {
    const first_partial = counts.slice(0, i).reduce((a, b) => a + b, 0);
    const x = bench.tensor(`gradient ${i}`, [gradient.length], gradient);
    bench.plan.record(sumOfSquares, { x, partials }, { vectors: gradient.length / 4, first_partial });
  });
  const result = bench.output("norm", [2]);
  bench.plan.record(gradientNorm, { partials, norm: result }, { partials: total, clip });
  bench.run();
  bench.plan.free();
  return [...await bench.read(result)];
}

const normCases: GpuCase[] = [
  ...[
    [1],
    [63],
    [65],
    [SUM_VECTORS - 1],
    [SUM_VECTORS],
    [SUM_VECTORS + 1, 3, 2 * SUM_VECTORS + 1],
    Array<number>(70).fill(2),
  ]
    .map((sizes): GpuCase => ({
      name: `gradient norm of ${sizes.length > 3 ? `${sizes.length} tensors` : sizes.join(" and ")} vectors`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const random = new Random(sizes.length + sizes[0]);
          const gradients = sizes.map((vectors) => random.normals(vectors * 4));
          const expected = globalNorm(gradients);
          for (const clip of [0, expected / 3, expected * 3]) {
            const [actual, factor] = await norm(bench, gradients, clip);
            const relative = Math.abs(actual / expected - 1);
            assert.ok(relative < 16 * F32_EPSILON, `norm ${actual}, expected ${expected}`);
            const expectedFactor = clipFactor(expected, clip);
            assert.ok(
              Math.abs(factor / expectedFactor - 1) < 32 * F32_EPSILON,
              `factor ${factor}, expected ${expectedFactor}`,
            );
          }
        }),
    })),
  ...[NaN, Infinity, 1e30].map((value): GpuCase => ({
    name: `gradient norm with one element of ${value} is not finite`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const gradient = new Random(5).normals(4 * 65);
        gradient[130] = Math.fround(value);
        const [actual] = await norm(bench, [gradient, gradient.map(() => 1)], 1);
        assert.ok(!Number.isFinite(actual), `norm ${actual}`);
      }),
  })),
];

export const cases: GpuCase[] = [...OPTIMIZERS.flatMap(updateCases), ...normCases];
