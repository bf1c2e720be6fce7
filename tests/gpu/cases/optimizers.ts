import assert from "node:assert/strict";
import { adamw } from "#kernels/adamw.ts";
import { gradientNorm } from "#kernels/gradient_norm.ts";
import { lossScale } from "#kernels/loss_scale.ts";
import { sgd } from "#kernels/sgd.ts";
import { sgdMomentum } from "#kernels/sgd_momentum.ts";
import { SUM_VECTORS } from "#kernels/shared/sum_vectors.ts";
import { sumOfSquares } from "#kernels/sum_of_squares.ts";
import type { Kernel } from "#src/gpu/kernel.ts";
import type { Tensor } from "#src/gpu/memory.ts";
import { clipFactor, globalNorm } from "../../reference/gradient_norm.ts";
import * as twin from "../../reference/optimizers.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { assertSameBits, F32_EPSILON, Workbench } from "../workbench.ts";

/** Vectors of four around a workgroup's 64 and 512. */
const VECTORS = [1, 63, 64, 65, 511, 513];
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

const NAMES = ["weights", "gradients", "first", "second"] as const;
type Buffers = Record<typeof NAMES[number], Tensor>;

interface Optimizer {
  name: string;
  kernel: Kernel;
  step: Parameters<Workbench["step"]>[0];
  dims: Record<string, number>;
  /** Those that the kernel takes beside the step and the norm, by its names. */
  bindings(buffers: Buffers): Record<string, Tensor>;
  /** Updates the example in place. */
  twin(values: ReturnType<typeof example>): void;
}

const clipped = (gradients: Float64Array) => gradients.map((g) => g * CLIP_FACTOR);

const adamwOf = (step: number, weightDecay: number, epsilon: number): Optimizer => {
  const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon, weightDecay };
  return {
    name: `adamw, step ${step}, decay ${weightDecay}, epsilon ${epsilon}`,
    kernel: adamw as unknown as Kernel,
    step: { learningRate: 0.01, correction1: 1 - 0.9 ** step, correction2: 1 - 0.99 ** step },
    dims: {
      beta1: 0.9,
      beta2: 0.99,
      one_minus_beta1: 1 - 0.9,
      one_minus_beta2: 1 - 0.99,
      epsilon,
      weight_decay: weightDecay,
    },
    bindings: ({ weights, gradients, first, second }) => (
      { gradients, parameters: weights, first_moments: first, second_moments: second }
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
    kernel: sgd as unknown as Kernel,
    step: { learningRate: 0.5 },
    dims: {},
    bindings: ({ weights, gradients }) => ({ gradients, parameters: weights }),
    twin: ({ weights, gradients }) =>
      twin.sgd(weights, clipped(gradients), new Float64Array(weights.length), { learningRate: 0.5, momentum: 0 }),
  },
  {
    name: "sgd with momentum",
    kernel: sgdMomentum as unknown as Kernel,
    step: { learningRate: 0.5 },
    dims: { momentum: 0.9 },
    bindings: ({ weights, gradients, first }) => ({ gradients, parameters: weights, velocity: first }),
    twin: ({ weights, gradients, first }) =>
      twin.sgd(weights, clipped(gradients), first, { learningRate: 0.5, momentum: 0.9 }),
  },
];

/** Each variant's update of a fresh example. */
async function updates(
  bench: Workbench,
  { kernel, step, dims, bindings }: Optimizer,
  vectors: number,
  norm: number[],
  check: (name: keyof Buffers, tensor: Tensor) => Promise<void>,
): Promise<void> {
  const all = { ...dims, vectors };
  for (const variant of variantsOf(kernel, all, bench.gpu)) {
    const values = example(vectors);
    const tensor = (name: keyof Buffers) => bench.tensor(`${name} of ${variant.name}`, [4 * vectors], values[name]);
    const buffers = Object.fromEntries(NAMES.map((name) => [name, tensor(name)])) as Buffers;
    const inputs = { step: bench.step(step), norm: bench.tensor("norm", [2], Float64Array.from(norm)) };
    bench.plan.record(variant.kernel, { ...inputs, ...bindings(buffers) }, all);
    bench.run();
    bench.plan.free();
    for (const name of NAMES) await check(name, buffers[name]);
  }
}

function updateCases(optimizer: Optimizer): GpuCase[] {
  return [
    ...VECTORS.map((vectors): GpuCase => ({
      name: `${optimizer.name}: ${vectors} vectors`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const expected = example(vectors);
          optimizer.twin(expected);
          // 1 − β₂ of an f32 β₂ is off by up to 2⁻²⁵ / 0.01 of itself.
          const check = (name: keyof Buffers, tensor: Tensor) => bench.expect(tensor, expected[name], 64 * F32_EPSILON);
          await updates(bench, optimizer, vectors, [4, CLIP_FACTOR], check);
        }),
    })),
    {
      name: `${optimizer.name}: a norm that is not finite changes nothing`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          for (const bad of NON_FINITE) {
            await updates(bench, optimizer, 65, [bad, 1], async (name, tensor) => {
              const before = Float32Array.from(example(65)[name]);
              assertSameBits(`${name} at norm ${bad}`, await bench.read(tensor), before);
            });
          }
        }),
    },
  ];
}

/** Norm and clip factor of several gradients, each its own sums. */
async function norm(
  bench: Workbench,
  squares: typeof sumOfSquares,
  gradients: Float64Array[],
  clip: number,
  scale = 1,
): Promise<number[]> {
  const counts = gradients.map((gradient) => Math.ceil(gradient.length / 4 / SUM_VECTORS));
  const total = counts.reduce((a, b) => a + b, 0);
  const partials = bench.output("partials", [total]);
  gradients.forEach((gradient, i) => {
    const first_partial = counts.slice(0, i).reduce((a, b) => a + b, 0);
    const x = bench.tensor(`gradient ${i}`, [gradient.length], gradient);
    bench.plan.record(squares, { x, partials }, { vectors: gradient.length / 4, first_partial });
  });
  const result = bench.output("norm", [2]);
  const loss_scale = bench.tensor("loss scale", [2], Float64Array.of(scale, 0));
  bench.plan.record(gradientNorm, { partials, loss_scale, norm: result }, { partials: total, clip });
  bench.run();
  bench.plan.free();
  return [...await bench.read(result)];
}

const lossScaleCase: GpuCase = {
  name: "the loss scale halves after a norm that is not finite and doubles after some that are",
  run: (gpu) =>
    Workbench.use(gpu, async (bench) => {
      const normTensor = bench.tensor("norm", [2], Float64Array.of(1, 1));
      const loss_scale = bench.tensor("loss scale", [2], Float64Array.of(1024, 0));
      bench.plan.record(lossScale, { norm: normTensor, loss_scale }, { interval: 3 });
      const after = async (value: number) => {
        bench.write(normTensor, Float64Array.of(value, 1));
        bench.run();
        return [...await bench.read(loss_scale)];
      };
      assert.deepEqual(await after(1), [1024, 1]);
      assert.deepEqual(await after(1), [1024, 2]);
      assert.deepEqual(await after(1), [2048, 0]);
      assert.deepEqual(await after(1), [2048, 1]);
      assert.deepEqual(await after(Infinity), [1024, 0]);
      assert.deepEqual(await after(NaN), [512, 0]);
      bench.write(loss_scale, Float64Array.of(1, 2));
      assert.deepEqual(await after(NaN), [1, 0], "never below 1");
      bench.write(loss_scale, Float64Array.of(2 ** 24, 2));
      assert.deepEqual(await after(1), [2 ** 24, 0], "nor without end");
    }),
};

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
          for (const { name, kernel } of variantsOf(sumOfSquares, { vectors: sizes[0], first_partial: 0 }, gpu)) {
            for (const [clip, scale] of [[0, 1], [expected / 3, 1], [expected * 3, 1], [expected / 3, 1024]]) {
              const scaled = gradients.map((gradient) => gradient.map((g) => g * scale));
              const [actual, factor] = await norm(bench, kernel, scaled, clip, scale);
              const relative = Math.abs(actual / expected - 1);
              assert.ok(relative < 16 * F32_EPSILON, `${name}: norm ${actual}, expected ${expected}`);
              const expectedFactor = clipFactor(expected, clip) / scale;
              assert.ok(
                Math.abs(factor / expectedFactor - 1) < 32 * F32_EPSILON,
                `${name}: factor ${factor}, expected ${expectedFactor}`,
              );
            }
          }
        }),
    })),
  ...[NaN, Infinity, 1e30].map((value): GpuCase => ({
    name: `gradient norm with one element of ${value} is not finite`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const gradient = new Random(5).normals(4 * 65);
        gradient[130] = Math.fround(value);
        const [actual] = await norm(bench, sumOfSquares, [gradient, gradient.map(() => 1)], 1);
        assert.ok(!Number.isFinite(actual), `norm ${actual}`);
      }),
  })),
];

export const cases: GpuCase[] = [...OPTIMIZERS.flatMap(updateCases), ...normCases, lossScaleCase];
