import assert from "node:assert/strict";
import { recordMatmul } from "#src/nn/matmul.ts";
import { matmul, type MatmulForm } from "../../reference/matmul.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { F32_EPSILON, Workbench } from "../workbench.ts";

/** M, N, K around the tile of 8 rows by 128 columns; K in whole vec4s, except where it is a row of both operands. */
const SIZES: Record<MatmulForm, number[][]> = {
  nn: [[1, 1, 4], [7, 64, 64], [8, 128, 8], [9, 129, 68], [65, 384, 128]],
  nt: [[1, 1, 4], [7, 64, 64], [8, 128, 8], [9, 129, 68], [65, 192, 256]],
  tn: [[1, 1, 4], [7, 64, 64], [8, 128, 8], [9, 129, 68], [64, 192, 128]],
};
const TEXELS = { width: 128, height: 256 };
const STRIDE = 64;

const lines = (width: number) => Math.ceil(width / STRIDE) * STRIDE;

/** Rows of `width` at the front of lines; what stands behind them shows if it is read. */
function lay(rows: Float64Array, width: number): Float64Array {
  const stride = lines(width);
  const laid = new Float64Array(rows.length / width * stride).fill(2 ** 40);
  for (let r = 0; r < rows.length / width; r++) laid.set(rows.subarray(r * width, (r + 1) * width), r * stride);
  return laid;
}

function texturesOf(bench: Workbench) {
  return {
    a: bench.memory.texture("activations", "a", TEXELS),
    b: bench.memory.texture("activations", "b", TEXELS),
  };
}

function productCase(form: MatmulForm, [M, N, K]: number[], bias: boolean): GpuCase {
  return {
    name: `${form}${bias ? " with bias" : ""}: ${M} × ${N} × ${K}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const random = new Random(M * N + K);
        const [widthA, widthB] = [form === "tn" ? M : K, form === "nt" ? K : N];
        const [a, b, before] = [random.normals(M * K), random.normals(K * N), random.normals(M * N)];
        const cStride = Math.ceil(N / 4) * 4;
        const biases = random.normals(cStride);
        const operands = {
          a: bench.tensor("a", [M * K / widthA, lines(widthA)], lay(a, widthA)),
          b: bench.tensor("b", [K * N / widthB, lines(widthB)], lay(b, widthB)),
          bias: bias ? bench.tensor("bias", [cStride], biases) : undefined,
        };
        const textures = texturesOf(bench);
        for (const accumulate of bias ? [0] : [0, 1]) {
          const start = bias ? Float64Array.from(before, (_, i) => biases[i % N]) : accumulate ? before : undefined;
          const expected = matmul(form, a, b, { M, N, K }, start);
          const filled = new Float64Array((M + 1) * cStride).fill(7);
          before.forEach((value, i) => filled[Math.floor(i / N) * cStride + i % N] = value);
          const c = bench.tensor("c", [M + 1, cStride], filled);
          const dims = {
            m: M,
            n: N,
            k: K,
            a_stride: lines(widthA),
            b_stride: lines(widthB),
            c_stride: cStride,
            accumulate,
          };
          recordMatmul(bench.plan, form, { ...operands, c }, dims, textures);
          assert.match(bench.plan.dispatches[0].label, /^matmul_textures_/);
          bench.run();
          bench.plan.free();
          const laid = await bench.read(c);
          for (const [i, value] of expected.entries()) {
            const actual = laid[Math.floor(i / N) * cStride + i % N];
            const allowed = F32_EPSILON * (4 + 2 * Math.sqrt(K)) * Math.max(1, Math.sqrt(K), Math.abs(value));
            assert.ok(Math.abs(actual - value) <= allowed, `c[${i}] is ${actual}, not ${value}`);
          }
          assert.deepEqual([...laid.slice(M * cStride)], Array<number>(cStride).fill(7), "the row past c");
        }
      }),
  };
}

/** What does not fit is read from its buffer. */
function fallbackCase(label: string, [M, N, K]: number[], strideA: number): GpuCase {
  return {
    name: `${label} is left to the buffers`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const random = new Random(M);
        const [a, b] = [random.normals(M * K), random.normals(K * N)];
        const c = bench.output("c", [M, N]);
        const dims = { m: M, n: N, k: K, a_stride: strideA, b_stride: N, c_stride: N, accumulate: 0 };
        const operands = { a: bench.tensor("a", [M, K], a), b: bench.tensor("b", [K, N], b), c };
        recordMatmul(bench.plan, "nn", operands, dims, texturesOf(bench));
        assert.equal(bench.plan.dispatches[0].label, "matmul_nn");
        bench.run();
        await bench.expect(c, matmul("nn", a, b, { M, N, K }), F32_EPSILON * (4 + 2 * Math.sqrt(K)));
      }),
  };
}

export const cases: GpuCase[] = [
  ...(["nn", "nt", "tn"] as const).flatMap((form) => SIZES[form].map((size) => productCase(form, size, false))),
  ...SIZES.nn.map((size) => productCase("nn", size, true)),
  fallbackCase("a row that is no whole line", [5, 64, 68], 68),
  fallbackCase("more rows than a texture has", [TEXELS.height + 1, 64, 64], 64),
];
