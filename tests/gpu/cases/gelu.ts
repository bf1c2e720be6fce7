import { geluBackward } from "#kernels/gelu_backward.ts";
import { geluForward } from "#kernels/gelu_forward.ts";
import * as twin from "../../reference/gelu.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { Workbench } from "../workbench.ts";

/** Software adapters are good to 2e-7; WGSL lets tanh be off by 1e-5, which would hide a digit of 0.044715. */
const TOLERANCE = 1e-6;

/** Random values, then the far ends: ±0, tails where GELU is 0 or x, and values whose cube overflows an f32. */
function inputs(length: number): Float64Array {
  const x = new Random(length).normals(length, 2);
  [0, -0, 6, -6, 20, -20, 1e13, -1e13].slice(0, length - 8).forEach((v, i) => x[i] = Math.fround(v));
  return x;
}

export const cases: GpuCase[] = [1, 63, 64, 65, 17 * 192].flatMap((elements) => [
  {
    name: `forward of ${elements}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const x = inputs(elements);
        const y = bench.output("y", [elements]);
        bench.plan.record(geluForward, { x: bench.tensor("x", [elements], x), y }, { elements });
        bench.run();
        const expected = twin.gelu(x);
        await bench.expectWithin(y, expected, (i) => TOLERANCE * Math.max(1, Math.abs(x[i])));
      }),
  },
  {
    name: `backward of ${elements}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const x = inputs(elements);
        const dY = new Random(elements + 1).normals(elements);
        const dx = bench.tensor("dx", [elements], dY);
        bench.plan.record(geluBackward, { x: bench.tensor("x", [elements], x), dx }, { elements });
        bench.run();
        await bench.expectWithin(dx, twin.geluBackward(dY, x), (i) => 3 * TOLERANCE * Math.max(1, Math.abs(dY[i])));
      }),
  },
]);
