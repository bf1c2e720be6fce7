import { attentionBackwardKeyValue } from "#kernels/attention_backward_key_value.ts";
import { attentionBackwardQuery } from "#kernels/attention_backward_query.ts";
import { attentionForward } from "#kernels/attention_forward.ts";
import type { Kernel } from "#src/gpu/kernel.ts";
import type { MatrixStorage } from "#src/gpu/matrix.ts";
import * as twin from "../../reference/attention.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { assertSameBits, asStored, F32_EPSILON, storageName, storagesFor, Workbench } from "../workbench.ts";

interface Example {
  B: number;
  T: number;
  H: number;
  D: number;
  dropout?: number;
  /** Standard deviation of q, k and v: scores have about its square. */
  deviation?: number;
  /** In every storage that an adapter has; else in the first. */
  everyStorage?: true;
}

const EXAMPLES: Example[] = [
  { B: 1, T: 1, H: 1, D: 1 },
  { B: 3, T: 1, H: 2, D: 4 },
  { B: 1, T: 7, H: 1, D: 1 },
  { B: 1, T: 8, H: 1, D: 32 },
  { B: 1, T: 9, H: 2, D: 64 },
  { B: 3, T: 17, H: 3, D: 8, everyStorage: true },
  { B: 3, T: 17, H: 3, D: 16 }, // C = 48
  { B: 3, T: 17, H: 3, D: 11, everyStorage: true }, // C = 33
  { B: 1, T: 1, H: 1, D: 128 },
  { B: 1, T: 31, H: 1, D: 128 },
  { B: 2, T: 9, H: 2, D: 131 },
  { B: 1, T: 5, H: 1, D: 768 },
  { B: 1, T: 63, H: 3, D: 4 },
  { B: 1, T: 63, H: 1, D: 64 },
  { B: 1, T: 64, H: 1, D: 16 },
  { B: 2, T: 64, H: 3, D: 32 },
  { B: 3, T: 65, H: 1, D: 20 },
  { B: 2, T: 65, H: 1, D: 11 },
  { B: 1, T: 65, H: 2, D: 64 },
  { B: 1, T: 65, H: 1, D: 96 },
  { B: 1, T: 129, H: 1, D: 128, dropout: 0.1 },
  { B: 1, T: 1000, H: 1, D: 32 },
  { B: 1, T: 1000, H: 1, D: 64, dropout: 0.2 },
  { B: 3, T: 17, H: 3, D: 16, dropout: 0.2 },
  { B: 2, T: 65, H: 3, D: 20, dropout: 0.2 },
  { B: 2, T: 33, H: 2, D: 11, dropout: 0.5 },
  // Scores in the hundreds: exponentials that are not taken from the largest overflow.
  { B: 1, T: 33, H: 2, D: 16, deviation: 8 },
  { B: 1, T: 65, H: 1, D: 64, deviation: 6 },
];

const [SEED, SITE] = [99, 3];

function inputs({ B, T, H, D, dropout = 0, deviation = 1 }: Example) {
  const C = H * D;
  const random = new Random(B * T * C);
  return {
    qkv: random.normals(B * T * 3 * C, deviation),
    dY: random.normals(B * T * C),
    // One counter row for each query of each head, one column for each key.
    mask: dropout > 0 ? dropoutFactors(dropout, SEED, SITE, B * H * T, T) : undefined,
  };
}

/** Scores are sums of D products, of which exp makes relative errors; WGSL grants exp itself 3 + 2·|x| units. */
function tolerance({ D, deviation = 1 }: Example): number {
  return F32_EPSILON * (8 * Math.sqrt(D) + 32) * deviation ** 2;
}

/** The variants that some adapter would run on these dims, each with the storages it is to be run on. */
function trials<B extends string, D extends string>(
  bench: Workbench,
  kernel: Kernel<B, D>,
  dims: Record<NoInfer<D>, number>,
  { D, everyStorage }: Example,
): { name: string; kernel: Kernel<B, D>; storage: MatrixStorage }[] {
  const { subgroupSize } = bench.gpu.traits;
  const chosen = new Set(
    [true, false].flatMap((software) =>
      [subgroupSize, null].map((size) =>
        `${kernel.name} (${kernel.choose(dims, { software, subgroupSize: size }).name})`
      )
    ),
  );
  const storages = storagesFor(bench.gpu, D);
  return variantsOf(kernel, dims, bench.gpu).filter(({ name }) => chosen.has(name)).flatMap((variant) =>
    storages.slice(0, everyStorage ? storages.length : 1).map((storage) => ({
      ...variant,
      name: `${variant.name}, ${storageName(storage)}`,
      storage,
    }))
  );
}

function exampleCases(example: Example): GpuCase[] {
  const { B, T, H, D, dropout = 0 } = example;
  const size = { B, T, C: H * D, H };
  const { C } = size;
  const dims = { batch: B, heads: H, context: T, head_size: D, site: SITE, dropout };
  const label = Object.entries(example).map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    {
      name: `forward: ${label}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { qkv, mask } = inputs(example);
          const step = bench.step({ seed: SEED });
          for (const { name, kernel, storage } of trials(bench, attentionForward, dims, example)) {
            const held = asStored(qkv, storage);
            const expected = twin.attention(held, size, mask);
            const y = bench.outputMatrix(`y of ${name}`, B * T, C, storage);
            const lse = bench.output(`lse of ${name}`, [B, H, T]);
            const bindings = { step, qkv: bench.matrix("qkv", B * T, 3 * C, held, storage), y, lse };
            bench.plan.record(kernel, bindings, dims);
            bench.run();
            await bench.expect(y, expected.out, tolerance(example));
            await bench.expectWithin(lse, expected.logSumExp, (i) =>
              tolerance(example) * Math.max(1, Math.abs(expected.logSumExp[i])));
            const first = await bench.read(y);
            bench.run();
            bench.plan.free();
            assertSameBits(`y of ${name}, run again,`, first, await bench.read(y));
          }
        }),
    },
    {
      name: `backward: ${label}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { qkv, dY, mask } = inputs(example);
          const step = bench.step({ seed: SEED });
          const keyValue = trials(bench, attentionBackwardKeyValue, dims, example);
          for (const [i, { name, kernel, storage }] of trials(bench, attentionBackwardQuery, dims, example).entries()) {
            const [held, heldDY] = [asStored(qkv, storage), asStored(dY, storage)];
            const { out, logSumExp } = twin.attention(held, size, mask);
            const expectedDelta = new Float64Array(B * H * T); // Σ over D of dy·y
            const heldOut = asStored(out, storage);
            heldDY.forEach((dy, i) => {
              const [row, head] = [Math.floor(i / C), Math.floor((i % C) / D)];
              expectedDelta[(Math.floor(row / T) * H + head) * T + row % T] += dy * heldOut[i];
            });
            const bindings = {
              step,
              qkv: bench.matrix("qkv", B * T, 3 * C, held, storage),
              dy: bench.matrix("dy", B * T, C, heldDY, storage),
              lse: bench.tensor("lse", [B, H, T], logSumExp),
              delta: bench.output(`delta of ${name}`, [B, H, T]),
              dqkv: bench.outputMatrix(`dqkv of ${name}`, B * T, 3 * C, storage),
            };
            const y = bench.matrix("y", B * T, C, out, storage);
            bench.plan.record(kernel, { ...bindings, y }, dims);
            bench.plan.record(keyValue[i].kernel, bindings, dims);
            bench.run();
            await bench.expect(bindings.delta, expectedDelta, 4 * F32_EPSILON * Math.sqrt(D));
            const expected = twin.attentionBackward(heldDY, held, size, mask);
            // y in f16 is off by 2^-12 of itself, delta by as much of its terms, which largely cancel.
            const ofY = storage.element === "f16" ? 2 ** -8 : 0;
            await bench.expect(bindings.dqkv, expected, 2 * tolerance(example) + ofY);
            const first = await bench.read(bindings.dqkv);
            bench.run();
            bench.plan.free();
            assertSameBits(`dqkv of ${name}, run again,`, first, await bench.read(bindings.dqkv));
          }
        }),
    },
  ];
}

export const cases: GpuCase[] = EXAMPLES.flatMap(exampleCases);
