import {
  matmulBias,
  matmulBiasGelu,
  matmulBiasResidual,
  matmulNN,
  matmulNNAdd,
  matmulNT,
  matmulNTGelu,
  matmulTN,
  matmulTNBias,
} from "#kernels/matmul.ts";
import { F32_VECTORS, type Matrix, type MatrixStorage } from "#src/gpu/matrix.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import * as gelu from "../../reference/gelu.ts";
import { matmul, type MatmulForm } from "../../reference/matmul.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsNamed, variantsOf } from "../variants.ts";
import { arenaStorage, asStored, F32_EPSILON, storageName, storagesFor, Workbench } from "../workbench.ts";

/** M, N, K around the tiles: 8, 16 and 32 rows by 64 columns on software adapters, 64 by 64 on cards, vec4s along K. */
const SIZES = [
  [1, 1, 1],
  [1, 257, 48],
  [7, 9, 5],
  [8, 64, 4],
  [9, 65, 17],
  [17, 63, 33],
  [31, 33, 64],
  [33, 31, 65],
  [52, 144, 48],
  [64, 64, 64],
  [65, 68, 36],
  [128, 66, 2],
  [132, 12, 76],
];

/** Sums of K products. */
const tolerance = (K: number) => F32_EPSILON * (4 + 2 * Math.sqrt(K));

const SEED = 99;
const SITE = 5;

/** What a case covers: some storages of matrices, and of each kernel some variants. */
interface Coverage {
  name: string;
  /** Those that fit rows of every one of these lengths. */
  storages(bench: Workbench, ...columns: number[]): readonly MatrixStorage[];
  variants<B extends string, D extends string>(
    storage: MatrixStorage,
    ...[kernel, dims, gpu]: Parameters<typeof variantsOf<B, D>>
  ): ReturnType<typeof variantsOf<B, D>>;
}

const areVectors = (columns: readonly number[]) => columns.every((count) => count % 4 === 0);

const CHOSEN: Coverage = {
  name: "",
  storages: ({ gpu }, ...columns) => storagesFor(gpu, areVectors(columns) ? 4 : 1),
  /**
   * Without large tiles over what software adapters do not keep matrices in, and without the tallest over halves: LLVM
   * takes seconds.
   */
  variants: ({ kind, element }, kernel, dims, gpu) =>
    variantsOf(kernel, dims, gpu).filter(({ name }) => {
      if (name.includes(SLABS)) return false;
      if (kind === "texture") return element === "f32" || !/\((24|32)×/.test(name);
      return name.includes("(4×4") || (element === "f32" && name.includes("(8×8 broadcast"));
    }),
};

const SLABS = "in slabs";
/** Those that differ in more than the function that ends them: they run in every tiling, others in one. */
const DISTINCT: readonly string[] = [matmulNN, matmulNT, matmulTN, matmulBias, matmulTNBias].map(({ name }) => name);

/** What cards run, over what they keep matrices in; each program takes software adapters a second or more. */
const CARDS: Coverage = {
  name: ", cards",
  storages: ({ gpu }, ...columns) =>
    storagesFor(gpu, areVectors(columns) ? 4 : 1).filter(({ kind, element }) =>
      areVectors(columns) ? kind === "vectors" : kind === "scalars" && element === "f32"
    ),
  variants: ({ kind }, kernel) =>
    variantsNamed(kernel, kind === "vectors" && DISTINCT.includes(kernel.name) ? SLABS : `64×64 ${SLABS}`),
};

/** Around blocks of 32, 64 and 128, slabs of 8, 16 and 32, bands of 8 blocks; odd sizes, then whole vec4s in N and K. */
const CARD_SIZES = [
  [63, 129, 1],
  [65, 127, 7],
  [127, 65, 9],
  [129, 63, 15],
  [31, 33, 17],
  [128, 63, 130],
  [4, 4, 36],
  [60, 128, 8],
  [64, 124, 16],
  [128, 64, 12],
  [129, 68, 132],
  [63, 132, 20],
  [1060, 140, 4],
];

interface Sizes {
  M: number;
  N: number;
  K: number;
}

/** The operands of a product as they lie in memory, and what they hold once stored. */
function operands(bench: Workbench, form: MatmulForm, { M, N, K }: Sizes, storage: MatrixStorage) {
  const random = new Random(M * N + K);
  const [rowsA, rowsB] = [form === "tn" ? K : M, form === "nt" ? N : K];
  const [a, b] = [random.normals(M * K), random.normals(K * N)].map((values) => asStored(values, storage));
  return {
    random,
    a,
    b,
    matrices: {
      a: bench.matrix("a", rowsA, M * K / rowsA, a, storage),
      b: bench.matrix("b", rowsB, K * N / rowsB, b, storage),
    },
  };
}

/** A result in the middle of a larger matrix, whose other elements no kernel may touch. */
async function expectUntouchedAround(bench: Workbench, c: Matrix, before: Float64Array): Promise<void> {
  const whole = { ...c, rows: c.rows + 1, origin: { row: 0, column: 0 } };
  const last = (await bench.read(whole)).subarray(c.rows * c.columns);
  const expected = before.subarray(c.rows * c.columns);
  if (last.some((value, i) => value !== expected[i])) throw new Error(`${c.name}: wrote past its last row`);
}

function productCase(form: MatmulForm, [M, N, K]: number[], coverage = CHOSEN): GpuCase {
  const kernels = { nn: [matmulNN, matmulNNAdd], nt: [matmulNT], tn: [matmulTN] }[form];
  return {
    name: `${form}: ${M} × ${N} × ${K}${coverage.name}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { m: M, n: N, k: K, site: 0, dropout: 0 };
        for (const storage of coverage.storages(bench, N, K, form === "tn" ? M : 4)) {
          const { a, b, random, matrices } = operands(bench, form, { M, N, K }, storage);
          const before = random.normals((M + 1) * N);
          for (const kernel of kernels) {
            const adds = kernel.bindings.c === "matrix_add";
            const held = adds ? arenaStorage(N) : storage;
            const start = asStored(before, held);
            const expected = matmul(form, a, b, { M, N, K }, adds ? start.subarray(0, M * N) : undefined);
            for (const { name, kernel: variant } of coverage.variants(storage, kernel, dims, gpu)) {
              const c = { ...bench.matrix(`c of ${name}`, M + 1, N, start, held), rows: M };
              bench.plan.record(variant, { ...matrices, c }, dims);
              bench.run();
              bench.plan.free();
              await bench.expect(c, expected, tolerance(K));
              await expectUntouchedAround(bench, c, start);
            }
          }
        }
      }),
  };
}

/** Parts of larger matrices: rows and columns that begin somewhere inside. */
function partCase(storage: MatrixStorage): GpuCase {
  return {
    name: `parts of matrices, ${storageName(storage)}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const [M, N, K] = [9, 12, 8];
        const random = new Random(M);
        const values = (rows: number, columns: number) => asStored(random.normals(rows * columns), storage);
        const whole = { a: values(20, 24), b: values(16, 20) };
        const cut = (from: Float64Array, columns: number, row: number, column: number, rows: number, width: number) =>
          Float64Array.from({ length: rows * width }, (_, i) =>
            from[(row + Math.floor(i / width)) * columns + column + i % width]);
        const expected = matmul("nn", cut(whole.a, 24, 3, 12, M, K), cut(whole.b, 20, 5, 4, K, N), { M, N, K });
        const a = {
          ...bench.matrix("a", 20, 24, whole.a, storage),
          rows: M,
          columns: K,
          origin: { row: 3, column: 12 },
        };
        const b = {
          ...bench.matrix("b", 16, 20, whole.b, storage),
          rows: K,
          columns: N,
          origin: { row: 5, column: 4 },
        };
        const c = {
          ...bench.outputMatrix("c", 12, 24, storage),
          rows: M,
          columns: N,
          origin: { row: 2, column: 8 },
        };
        const dims = { m: M, n: N, k: K, site: 0, dropout: 0 };
        bench.plan.record(matmulNN, { a, b, c }, dims);
        bench.run();
        await bench.expect(c, expected, tolerance(K));
      }),
  };
}

/** Operands amid NaN: what a block reads past its matrices' ends may not reach a result. */
function surroundedCase(form: MatmulForm): GpuCase {
  return {
    name: `${form}: operands amid NaN, cards`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const [M, N, K] = [36, 68, 20];
        const random = new Random(M);
        const operand = (name: string, rows: number, columns: number) => {
          const values = asStored(random.normals(rows * columns), F32_VECTORS);
          const around = new Float64Array((rows + 8) * (columns + 8)).fill(NaN);
          for (let row = 0; row < rows; row++) {
            around.set(values.subarray(row * columns, (row + 1) * columns), row * (columns + 8));
          }
          return {
            values,
            matrix: { ...bench.matrix(name, rows + 8, columns + 8, around, F32_VECTORS), rows, columns },
          };
        };
        const a = form === "tn" ? operand("a", K, M) : operand("a", M, K);
        const b = form === "nt" ? operand("b", N, K) : operand("b", K, N);
        const expected = matmul(form, a.values, b.values, { M, N, K });
        const kernel = { nn: matmulNN, nt: matmulNT, tn: matmulTN }[form];
        const dims = { m: M, n: N, k: K, site: 0, dropout: 0 };
        for (const { name, kernel: variant } of CARDS.variants(F32_VECTORS, kernel, dims, gpu)) {
          const c = bench.matrix(`c of ${name}`, M, N, new Float64Array(M * N), F32_VECTORS);
          bench.plan.record(variant, { a: a.matrix, b: b.matrix, c }, dims);
          bench.run();
          bench.plan.free();
          await bench.expect(c, expected, tolerance(K));
        }
      }),
  };
}

/** What layers do to a product before it is stored. */
function layerCase([M, N, K]: number[], dropout: number, coverage = CHOSEN): GpuCase {
  return {
    name: `layers: ${M} × ${N} × ${K}${dropout ? ", dropout" : ""}${coverage.name}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { m: M, n: N, k: K, site: SITE, dropout };
        const step = bench.step({ seed: SEED });
        for (const storage of coverage.storages(bench, N, K)) {
          const { a, b, random, matrices } = operands(bench, "nn", { M, N, K }, storage);
          const bias = asStored(random.normals(N), arenaStorage(N));
          const biasMatrix = bench.matrix("bias", 1, N, bias, arenaStorage(N));
          const product = matmul("nn", a, b, { M, N, K }, Float64Array.from({ length: M * N }, (_, i) => bias[i % N]));
          const result = (name: string) => bench.outputMatrix(name, M, N, storage);
          const run = () => {
            bench.run();
            bench.plan.free();
          };
          for (const { name, kernel } of coverage.variants(storage, matmulBias, dims, gpu)) {
            const c = result(`c of ${name}`);
            bench.plan.record(kernel, { ...matrices, bias: biasMatrix, c }, dims);
            run();
            await bench.expect(c, product, tolerance(K));
          }
          for (const { name, kernel } of coverage.variants(storage, matmulBiasGelu, dims, gpu)) {
            const [hidden, c] = [result(`hidden of ${name}`), result(`c of ${name}`)];
            bench.plan.record(kernel, { ...matrices, bias: biasMatrix, hidden, c }, dims);
            run();
            await bench.expect(hidden, product, tolerance(K));
            await bench.expect(c, gelu.gelu(product), 2 * tolerance(K));
          }
          const residual = asStored(random.normals(M * N), storage);
          const factors = dropout > 0 ? dropoutFactors(dropout, SEED, SITE, M, N) : new Float64Array(M * N).fill(1);
          const sum = product.map((value, i) => residual[i] + value * factors[i]);
          for (const { name, kernel } of coverage.variants(storage, matmulBiasResidual, dims, gpu)) {
            const c = result(`c of ${name}`);
            const held = bench.matrix("residual", M, N, residual, storage);
            bench.plan.record(kernel, { step, ...matrices, bias: biasMatrix, residual: held, c }, dims);
            run();
            await bench.expect(c, sum, 2 * tolerance(K));
          }
        }
      }),
  };
}

/** dx through a GELU, and the gradients of weight and bias in one pass. */
function layerBackwardCase([M, N, K]: number[], coverage = CHOSEN): GpuCase {
  return {
    name: `layers backward: ${M} × ${N} × ${K}${coverage.name}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { m: M, n: N, k: K, site: 0, dropout: 0 };
        for (const storage of coverage.storages(bench, N, K)) {
          const { a, b, random, matrices } = operands(bench, "nt", { M, N, K }, storage);
          const hidden = asStored(random.normals(M * N, 2), storage);
          const expected = gelu.geluBackward(matmul("nt", a, b, { M, N, K }), hidden);
          for (const { name, kernel } of coverage.variants(storage, matmulNTGelu, dims, gpu)) {
            const c = bench.outputMatrix(`c of ${name}`, M, N, storage);
            const held = bench.matrix("hidden", M, N, hidden, storage);
            bench.plan.record(kernel, { ...matrices, hidden: held, c }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(c, expected, 3 * tolerance(K));
          }
        }
        for (const storage of coverage.storages(bench, M, N)) {
          const { a, b, random, matrices } = operands(bench, "tn", { M, N, K }, storage);
          const held = arenaStorage(N);
          const [before, biasBefore] = [random.normals(M * N), random.normals(N)].map((v) => asStored(v, held));
          const expected = matmul("tn", a, b, { M, N, K }, before);
          const sums = Float64Array.from(biasBefore);
          b.forEach((value, i) => sums[i % N] += value);
          for (const { name, kernel } of coverage.variants(storage, matmulTNBias, dims, gpu)) {
            const c = bench.matrix(`c of ${name}`, M, N, before, held);
            const dbias = bench.matrix(`dbias of ${name}`, 1, N, biasBefore, held);
            bench.plan.record(kernel, { ...matrices, c, dbias }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(c, expected, tolerance(K));
            await bench.expect(dbias, sums, tolerance(K));
          }
        }
      }),
  };
}

/** Values at the far ends: ±0, tails where GELU is 0 or x, and some whose cube overflows an f32. */
const FAR = [0, -0, 6, -6, 20, -20, 1e13, -1e13].map(Math.fround);

const farCase: GpuCase = {
  name: "GELU's far ends",
  run: (gpu) =>
    Workbench.use(gpu, async (bench) => {
      const N = FAR.length;
      const dims = { m: 1, n: N, k: 1, site: 0, dropout: 0 };
      const one = (name: string, value: number) => bench.matrix(name, 1, 1, Float64Array.of(value), SCALARS);
      const row = (name: string, values: number[]) => bench.matrix(name, 1, N, Float64Array.from(values), SCALARS);
      const [hidden, c, dx] = ["hidden", "c", "dx"].map((name) => bench.outputMatrix(name, 1, N, SCALARS));
      const bias = row("bias", FAR.map(() => 0));
      bench.plan.record(matmulBiasGelu, { a: one("a", 1), b: row("b", FAR), bias, hidden, c }, dims);
      const ones = bench.matrix("ones", N, 1, new Float64Array(N).fill(1), SCALARS);
      bench.plan.record(matmulNTGelu, { a: one("dy", 1), b: ones, hidden: row("x", FAR), c: dx }, dims);
      bench.run();
      const x = Float64Array.from(FAR);
      await bench.expectWithin(c, gelu.gelu(x), (i) => 1e-6 * Math.max(1, Math.abs(x[i])));
      await bench.expectWithin(dx, gelu.geluBackward(new Float64Array(N).fill(1), x), () => 3e-6);
    }),
};

const SCALARS: MatrixStorage = { kind: "scalars", element: "f32" };

export const cases: GpuCase[] = [
  ...(["nn", "nt", "tn"] as const).flatMap((form) => SIZES.map((size) => productCase(form, size))),
  ...(["nn", "nt", "tn"] as const).flatMap((form) => CARD_SIZES.map((size) => productCase(form, size, CARDS))),
  ...(["nn", "nt", "tn"] as const).map(surroundedCase),
  ...(["texture", "vectors", "scalars"] as const).map((kind) => partCase({ kind, element: "f32" })),
  ...[[1, 1, 1], [9, 65, 17], [33, 12, 20], [65, 132, 8]].flatMap((size) => [
    layerCase(size, 0),
    layerCase(size, 0.3),
    layerBackwardCase(size),
  ]),
  layerCase([132, 68, 36], 0.3, CARDS),
  layerBackwardCase([132, 68, 36], CARDS),
  farCase,
];
