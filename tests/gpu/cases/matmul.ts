import { biasBackward } from "#kernels/bias_backward.ts";
import { matmulBias, matmulNN, matmulNT, matmulTN } from "#kernels/matmul.ts";
import type { Tensor } from "#src/gpu/memory.ts";
import { matmul, type MatmulForm } from "../../reference/matmul.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { assertClose, F32_EPSILON, Workbench } from "../workbench.ts";

/** M, N, K around the tiles: 8 rows by 128 columns on software adapters, 32 by 32 on cards, vectors of 4 along K. */
const SIZES = [
  [1, 1, 1],
  [1, 257, 48],
  [7, 9, 5],
  [8, 64, 4],
  [9, 65, 17],
  [17, 63, 33],
  [31, 33, 64],
  [32, 32, 63],
  [33, 31, 65],
  [51, 144, 48],
  [7, 127, 6],
  [8, 128, 7],
  [9, 129, 8],
  [65, 1, 3],
  [128, 65, 2],
];

const KERNELS = { nn: matmulNN, nt: matmulNT, tn: matmulTN };

/** Sums of K products. */
const tolerance = (K: number) => F32_EPSILON * (4 + 2 * Math.sqrt(K));

/** Rows of `width` laid `stride` apart; `filler` stands where only the layout puts something. */
function lay(rows: Float64Array, width: number, stride: number, filler: number): Float64Array {
  const laid = new Float64Array(rows.length / width * stride).fill(filler);
  for (let r = 0; r < rows.length / width; r++) laid.set(rows.subarray(r * width, (r + 1) * width), r * stride);
  return laid;
}

/** c's rows, and one more that no kernel may touch: c is often the front of a larger buffer. */
function resultTensor(bench: Workbench, name: string, rows: Float64Array, [M, N, stride]: number[]): Tensor {
  const c = new Float64Array((M + 1) * stride).fill(FILLER);
  c.set(lay(rows, N, stride, FILLER));
  return bench.tensor(name, [M + 1, stride], c);
}

async function expectRows(
  bench: Workbench,
  c: Tensor,
  expected: Float64Array,
  width: number,
  stride: number,
  K: number,
) {
  const laid = await bench.read(c);
  const rows = Float32Array.from(expected, (_, i) => laid[Math.floor(i / width) * stride + i % width]);
  assertClose(c.name, rows, expected, tolerance(K));
  // What lies past the last vector of a row, and past the last row, belongs to someone else.
  const rest = laid.filter((_, i) => i % stride >= Math.ceil(width / 4) * 4 || i >= expected.length / width * stride);
  assertClose(`untouched part of ${c.name}`, rest, new Float64Array(rest.length).fill(FILLER), 0);
}

/** Finite, for a contract that pads `a` with zeros only; large, so that reading it shows. */
const FILLER = 2 ** 40;

const LAYOUTS: Record<string, (width: number) => number> = {
  "tight rows": (width) => width,
  "rows in whole vectors": (width) => Math.ceil(width / 4) * 4,
  "rows far apart": (width) => Math.ceil(width / 4) * 4 + 8,
};

function productCase(form: MatmulForm, [M, N, K]: number[], layout: string): GpuCase {
  return {
    name: `${form}: ${M} × ${N} × ${K}, ${layout}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const random = new Random(M * N + K);
        const [widthA, widthB] = [form === "tn" ? M : K, form === "nt" ? K : N];
        const [a, b, before] = [random.normals(M * K), random.normals(K * N), random.normals(M * N)];
        const stride = LAYOUTS[layout];
        const strides = { a_stride: stride(widthA), b_stride: stride(widthB), c_stride: stride(N) };
        const operands = {
          a: bench.tensor("a", [M * K / widthA, strides.a_stride], lay(a, widthA, strides.a_stride, 0)),
          b: bench.tensor("b", [K * N / widthB, strides.b_stride], lay(b, widthB, strides.b_stride, FILLER)),
        };
        for (const accumulate of [0, 1]) {
          const dims = { m: M, n: N, k: K, ...strides, accumulate };
          const expected = matmul(form, a, b, { M, N, K }, accumulate ? before : undefined);
          for (const { name, kernel } of variantsOf(KERNELS[form], dims)) {
            const start = accumulate ? before : new Float64Array(M * N).fill(NaN);
            const c = resultTensor(bench, `c of ${name}`, start, [M, N, strides.c_stride]);
            bench.plan.record(kernel, { ...operands, c }, dims);
            bench.run();
            bench.plan.free();
            await expectRows(bench, c, expected, N, strides.c_stride, K);
          }
        }
      }),
  };
}

function biasCase([M, N, K]: number[]): GpuCase {
  return {
    name: `with bias: ${M} × ${N} × ${K}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const random = new Random(M + N + K);
        const [a, b, bias] = [random.normals(M * K), random.normals(K * N), random.normals(N)];
        const repeated = Float64Array.from({ length: M * N }, (_, i) => bias[i % N]);
        const expected = matmul("nn", a, b, { M, N, K }, repeated);
        const stride = (width: number) => Math.ceil(width / 4) * 4;
        const dims = { m: M, n: N, k: K, a_stride: stride(K), b_stride: stride(N), c_stride: stride(N), accumulate: 0 };
        const operands = {
          a: bench.tensor("a", [M, stride(K)], lay(a, K, stride(K), 0)),
          b: bench.tensor("b", [K, stride(N)], lay(b, N, stride(N), FILLER)),
          bias: bench.tensor("bias", [stride(N)], lay(bias, N, stride(N), FILLER)),
        };
        for (const { name, kernel } of variantsOf(matmulBias, dims)) {
          const c = resultTensor(bench, `c of ${name}`, new Float64Array(M * N).fill(NaN), [M, N, stride(N)]);
          bench.plan.record(kernel, { ...operands, c }, dims);
          bench.run();
          bench.plan.free();
          await expectRows(bench, c, expected, N, stride(N), K);
        }
      }),
  };
}

function biasBackwardCase([rows, channels]: number[]): GpuCase {
  return {
    name: `bias's gradient: ${rows} × ${channels}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const random = new Random(rows + channels);
        const [dY, expected] = [random.normals(rows * channels), random.normals(channels)];
        const dbias = bench.tensor("dbias", [channels], expected);
        dY.forEach((dy, i) => expected[i % channels] += dy);
        bench.plan.record(biasBackward, { dy: bench.tensor("dy", [rows, channels], dY), dbias }, { rows, channels });
        bench.run();
        await bench.expect(dbias, expected, tolerance(rows));
      }),
  };
}

export const cases: GpuCase[] = [
  ...(["nn", "nt", "tn"] as const).flatMap((form) =>
    SIZES.flatMap((size) => Object.keys(LAYOUTS).map((layout) => productCase(form, size, layout)))
  ),
  ...SIZES.map(biasCase),
  ...[[1, 1], [7, 8], [8, 7], [9, 9], [51, 144], [65, 33]].map(biasBackwardCase),
];
