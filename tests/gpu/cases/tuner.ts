import assert from "node:assert/strict";
import { checksum, checksumBlocks } from "#kernels/checksum.ts";
import { matmulTN } from "#kernels/matmul.ts";
import type { Gpu } from "#src/gpu/device.ts";
import { defineKernel } from "#src/gpu/kernel.ts";
import type { MatrixStorage } from "#src/gpu/matrix.ts";
import { type Finding, type Subject, subjectsOf, tune, unknownTo } from "#src/train/tuner.ts";
import { checksum as checksumTwin } from "../../reference/checksum.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { asStored, storagesFor, Workbench } from "../workbench.ts";

/** Rounds of idle work for each vec4. llvmpipe leaves a loop after 65,536 in all. */
const IDLE = 1000;

/** y = x² after as many rounds of idle work as a variant has, or something that is nearly so. */
const square = defineKernel({
  name: "square",
  source: /* wgsl */ `
    struct Dims { rows: u32, columns: u32 }
    @group(0) @binding(0) var<uniform> dims: Dims;
    @compute @workgroup_size(8)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
      let row = group.x * 8u + lane;
      if (row >= dims.rows) { return; }
      for (var column = 0u; column < dims.columns; column += 4u) {
        let x = load_x(row, column);
        var idle = x;
        for (var i = 0u; i < ROUNDS; i++) { idle = idle * idle + x; }
        let value = select(x * x, idle, vec4(dims.columns == 7u)); // never; no compiler knows
        //#body
      }
    }`,
  bindings: { x: "matrix", y: "matrix_write" },
  dims: { rows: "u32", columns: "u32" },
  shape: ({ rows, columns }) => `${rows}×${columns}`,
  variants: [
    variant("slow", IDLE, "store_y(row, column, value);"),
    variant("scaled", 1, "store_y(row, column, value * 1.001);"),
    variant("last row left out", 1, "if (row + 1u < dims.rows) { store_y(row, column, value); }"),
    variant("nothing", 1, ""),
    variant("shifted", 1, "store_y(row, column, value.yxzw);"),
    variant(
      "not a number",
      1,
      "store_y(row, column, select(value, vec4(bitcast<f32>(lane | 0x7fc00000u)), row == 3u));",
    ),
    variant("no WGSL", 1, "this is not WGSL;"),
    variant("fast", 1, "store_y(row, column, value);"),
    { ...variant("always", IDLE, "store_y(row, column, value);"), candidate: false },
  ],
  cost: ({ rows, columns }) => ({ flops: rows * columns, bytes: 8 * rows * columns }),
});

function variant(name: string, rounds: number, body: string) {
  return {
    name,
    candidate: true,
    constants: () => ({ ROUNDS: rounds }),
    body: () => body,
    workgroups: ({ rows }: { rows: number }) => Math.ceil(rows / 8),
  };
}

const UNLIMITED = { known: [], budgetMs: 1e6, stop: () => false };

/** `square` on a matrix of 61 × 132, as a subject of tuning. */
function useSquare<T>(gpu: Gpu, work: (subjects: Subject[]) => Promise<T>): Promise<T> {
  return Workbench.use(gpu, (bench) => {
    const dims = { rows: 61, columns: 132 };
    const [x, y] = ["x", "y"].map((name) =>
      bench.matrix(name, dims.rows, dims.columns, new Float64Array(61 * 132), VECTORS)
    );
    bench.plan.record(square, { x, y }, dims);
    return work(subjectsOf(gpu, bench.plan.dispatches));
  });
}

const tuneSquare = (gpu: Gpu, options: Partial<Parameters<typeof tune>[2]> = {}) =>
  useSquare(gpu, (subjects) => tune(gpu, subjects, { ...UNLIMITED, ...options }));

const VECTORS: MatrixStorage = { kind: "vectors", element: "f32" };
const KEY = "square 61×132: vectors f32, vectors f32";

export const cases: GpuCase[] = [
  ...[[1, 1], [3, 64], [9, 65], [65, 132], [2, 1030]].map(([rows, columns]): GpuCase => ({
    name: `checksums of ${rows} × ${columns}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const dims = { rows, columns };
        const values = new Random(rows + columns).normals(rows * columns);
        for (const storage of storagesFor(gpu, columns)) {
          const x = bench.matrix("x", rows, columns, values, storage);
          const sums = bench.output("sums", [checksumBlocks(dims), 2]);
          bench.plan.record(checksum, { x, sums }, dims);
          bench.run();
          bench.plan.free();
          await bench.expect(sums, checksumTwin(asStored(values, storage), dims), 1e-6);
        }
      }),
  })),
  {
    name: "the fastest of what computes the same is chosen; what computes something else never is",
    run: async (gpu) => {
      const { choices, findings, speedups } = await tuneSquare(gpu);
      assert.deepEqual(choices, { [KEY]: "fast" });
      assert.ok(speedups[KEY] > 2, `${speedups[KEY]} times as fast`);
      const wrong = findings.filter(({ speedup }) => speedup === null).map(({ variant }) => variant);
      assert.deepEqual(wrong, ["scaled", "last row left out", "nothing", "shifted", "not a number", "no WGSL"]);
      assert.deepEqual(findings.filter(({ speedup }) => speedup !== null).map(({ variant }) => variant), ["fast"]);
    },
  },
  {
    name: "what is known is not timed again, unless its program is another by now",
    run: async (gpu) => {
      const { findings } = await tuneSquare(gpu);
      const again = await tuneSquare(gpu, { known: findings, budgetMs: 0 });
      assert.deepEqual(again.findings, []);
      assert.deepEqual(again.choices, { [KEY]: "fast" });
      const changed = findings.map((finding): Finding => ({ ...finding, code: "of another version" }));
      const anew = await tuneSquare(gpu, { known: changed });
      assert.deepEqual(anew.findings.map(({ variant }) => variant), findings.map(({ variant }) => variant));
    },
  },
  {
    name: "what was being timed when a process died counts as wrong",
    run: (gpu) =>
      useSquare(gpu, async (subjects) => {
        const known = unknownTo([], subjects);
        assert.equal(known.length, 7);
        const { choices, findings } = await tune(gpu, subjects, { ...UNLIMITED, known });
        assert.deepEqual(choices, { [KEY]: "slow" });
        assert.deepEqual(findings, []);
      }),
  },
  {
    name: "without time, or when told to stop, the default stays and nothing is called known",
    run: async (gpu) => {
      for (const options of [{ budgetMs: 0 }, { stop: () => true }]) {
        const { choices, findings } = await tuneSquare(gpu, options);
        assert.deepEqual(choices, { [KEY]: "slow" });
        assert.deepEqual(findings, []);
      }
      let asked = 0;
      const { findings } = await tuneSquare(gpu, { stop: () => ++asked > 2 });
      assert.equal(findings.length, 1);
    },
  },
  {
    name: "a difference too small to be more than noise changes nothing",
    run: async (gpu) => {
      const { findings } = await tuneSquare(gpu);
      const known = findings.map((finding) => ({ ...finding, speedup: 1.02 }));
      assert.deepEqual((await tuneSquare(gpu, { known })).choices, { [KEY]: "slow" });
    },
  },
  {
    name: "the candidates of a matmul compute the same, rows whole vec4s or not, added to what is there",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const [M, N, K] = [65, 72, 40];
        for (const storage of storagesFor(gpu, M)) {
          const zeros = (rows: number, columns: number, held: MatrixStorage) =>
            bench.matrix("zeros", rows, columns, new Float64Array(rows * columns), held);
          const bindings = { a: zeros(K, M, storage), b: zeros(K, N, storage), c: zeros(M, N, VECTORS) };
          bench.plan.record(matmulTN, bindings, { m: M, n: N, k: K, site: 0, dropout: 0 });
        }
        const { findings } = await tune(gpu, subjectsOf(gpu, bench.plan.dispatches), UNLIMITED);
        for (const { key, variant, speedup } of findings) assert.ok(speedup !== null, `${variant} on ${key}`);
      }),
  },
];
