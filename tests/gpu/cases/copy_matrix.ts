import assert from "node:assert/strict";
import { copyMatrix } from "#kernels/elementwise.ts";
import { defineKernel } from "#src/gpu/kernel.ts";
import { matrixColumns, matrixIn, matrixRows, type MatrixStorage } from "#src/gpu/matrix.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { asStored, storageName, storagesFor, Workbench } from "../workbench.ts";

/** Rows around a workgroup's 8 and 64, vec4s around its 8 lanes and past a card's 64. */
const SIZES = [[1, 1], [1, 4], [7, 7], [8, 32], [9, 36], [65, 5], [3, 260]];

function sizeCase(rows: number, columns: number): GpuCase {
  return {
    name: `${rows} × ${columns} from any storage into any other`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const values = new Random(rows + columns).normals(rows * columns);
        const dims = { rows, columns };
        for (const from of storagesFor(gpu, columns)) {
          for (const to of storagesFor(gpu, columns)) {
            for (const { name, kernel } of variantsOf(copyMatrix, dims, gpu)) {
              const x = bench.matrix("x", rows, columns, values, from);
              const y = bench.outputMatrix(`${name} from ${storageName(from)}`, rows, columns, to);
              bench.plan.record(kernel, { x, y }, dims);
              bench.run();
              bench.plan.free();
              await bench.expect(y, asStored(values, from), 0);
            }
          }
        }
      }),
  };
}

/** Rows 2 to 5 and columns 4 to 12 of a matrix of 7 × 20 into rows 1 to 4 and columns 8 to 16 of another. */
function partCase(storage: MatrixStorage): GpuCase {
  return {
    name: `a part of ${storageName(storage)} into a part, whose surroundings stay`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const random = new Random(9);
        const [values, before] = [random.normals(7 * 20), random.normals(7 * 20)];
        const x = bench.matrix("x", 7, 20, values, storage);
        const y = bench.matrix("y", 7, 20, before, storage);
        const part = { x: matrixColumns(matrixRows(x, 2, 3), 4, 8), y: matrixColumns(matrixRows(y, 1, 3), 8, 8) };
        bench.plan.record(copyMatrix, part, { rows: 3, columns: 8 });
        bench.run();
        const expected = asStored(before, storage);
        for (let row = 0; row < 3; row++) {
          const from = (2 + row) * 20 + 4;
          expected.set(asStored(values, storage).subarray(from, from + 8), (1 + row) * 20 + 8);
        }
        await bench.expect(y, expected, 0);
        await bench.expect(part.y, asStored(await partOf(bench, part.x), storage), 0);
      }),
  };
}

const partOf = async (bench: Workbench, part: Parameters<Workbench["read"]>[0]) =>
  Float64Array.from(await bench.read(part));

export const cases: GpuCase[] = [
  ...SIZES.map(([rows, columns]) => sizeCase(rows, columns)),
  ...([
    { kind: "texture", element: "f32" },
    { kind: "texture", element: "f16" },
    { kind: "vectors", element: "f32" },
    { kind: "scalars", element: "f32" },
  ] as const).map(partCase),
  {
    name: "a range of an arena, its rows whole vec4s or not",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        for (const [rows, columns] of [[3, 8], [3, 5]]) {
          const values = new Random(columns).normals(rows * columns);
          const arena = bench.tensor(
            "arena",
            [64 + rows * columns],
            Float64Array.of(...new Float64Array(64), ...values),
          );
          const x = matrixIn("x", { buffer: arena.buffer, offset: 256, size: 4 * rows * columns }, rows, columns);
          assert.equal(x.storage.kind, columns % 4 === 0 ? "vectors" : "scalars");
          const y = bench.outputMatrix("y", rows, columns, x.storage);
          bench.plan.record(copyMatrix, { x, y }, { rows, columns });
          bench.run();
          await bench.expect(y, values, 0);
        }
      }),
  },
  {
    name: "a matrix and a buffer are not mistaken for each other, nor is a texture read and written at once",
    run: (gpu) =>
      Workbench.use(gpu, (bench) => {
        const dims = { rows: 1, columns: 4 };
        const x = bench.outputMatrix("x", 1, 4, { kind: "texture", element: "f32" });
        const y = bench.output("y", [4]);
        assert.throws(
          () => bench.plan.record(copyMatrix, { x, y }, dims),
          /y is matrix_write, and was given something/,
        );
        const added = defineKernel({ ...copyMatrix, bindings: { x: "matrix", y: "matrix_add" } });
        assert.throws(() => bench.plan.record(added, { x, y: x }, dims), /cannot be read and written at once/);
      }),
  },
];
