import { geluForward } from "#kernels/elementwise.ts";
import * as twin from "../../reference/gelu.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { asStored, F32_EPSILON, storagesFor, Workbench } from "../workbench.ts";

/** GELU alone; within products it is a case of matmul's. */
export const cases: GpuCase[] = [[1, 1], [3, 7], [9, 64], [17, 65], [51, 192]].map(([rows, columns]): GpuCase => ({
  name: `${rows} × ${columns}`,
  run: (gpu) =>
    Workbench.use(gpu, async (bench) => {
      const dims = { rows, columns };
      for (const storage of storagesFor(gpu, columns)) {
        const x = asStored(new Random(rows + columns).normals(rows * columns, 2), storage);
        for (const { name, kernel } of variantsOf(geluForward, dims, gpu)) {
          const y = bench.outputMatrix(`y of ${name}`, rows, columns, storage);
          bench.plan.record(kernel, { x: bench.matrix("x", rows, columns, x, storage), y }, dims);
          bench.run();
          bench.plan.free();
          await bench.expect(y, twin.gelu(x), 16 * F32_EPSILON);
        }
      }
    }),
}));
