import { attentionBackwardDelta } from "#kernels/attention_backward_delta.ts";
import { attentionBackwardKeyValue } from "#kernels/attention_backward_key_value.ts";
import { attentionBackwardQuery } from "#kernels/attention_backward_query.ts";
import { attentionForward } from "#kernels/attention_forward.ts";
import * as twin from "../../reference/attention.ts";
import { dropoutFactors } from "../../reference/counter_random.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { F32_EPSILON, Workbench } from "../workbench.ts";

interface Example {
  B: number;
  T: number;
  H: number;
  D: number;
  dropout?: number;
  /** Standard deviation of q, k and v: scores have about its square. */
  deviation?: number;
}

const EXAMPLES: Example[] = [
  { B: 1, T: 1, H: 1, D: 1 },
  { B: 3, T: 1, H: 2, D: 4 },
  { B: 1, T: 7, H: 1, D: 1 },
  { B: 1, T: 8, H: 1, D: 32 },
  { B: 1, T: 9, H: 2, D: 64 },
  { B: 3, T: 17, H: 3, D: 16 }, // C = 48
  { B: 3, T: 17, H: 3, D: 11 }, // C = 33
  { B: 1, T: 31, H: 1, D: 128 },
  { B: 2, T: 9, H: 2, D: 131 },
  { B: 1, T: 5, H: 1, D: 768 },
  { B: 1, T: 63, H: 3, D: 4 },
  { B: 1, T: 64, H: 1, D: 16 },
  { B: 2, T: 65, H: 1, D: 11 },
  { B: 1, T: 65, H: 2, D: 64 },
  { B: 3, T: 17, H: 3, D: 16, dropout: 0.2 },
  { B: 2, T: 33, H: 2, D: 11, dropout: 0.5 },
  // Scores in the hundreds: exponentials that are not taken from the largest overflow.
  { B: 1, T: 33, H: 2, D: 16, deviation: 8 },
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

function exampleCases(example: Example): GpuCase[] {
  const { B, T, H, D, dropout = 0 } = example;
  const size = { B, T, C: H * D, H };
  const { C } = size;
  const dims = { batch: B, heads: H, context: T, head_size: D };
  const dropoutDims = { ...dims, site: SITE, dropout };
  const label = Object.entries(example).map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    {
      name: `forward: ${label}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { qkv, mask } = inputs(example);
          const expected = twin.attention(qkv, size, mask);
          const bindings = { step: bench.step({ seed: SEED }), qkv: bench.tensor("qkv", [B, T, 3 * C], qkv) };
          for (const { name, kernel } of variantsOf(attentionForward, dropoutDims)) {
            const [y, lse] = [bench.output(`y of ${name}`, [B, T, C]), bench.output(`lse of ${name}`, [B, H, T])];
            bench.plan.record(kernel, { ...bindings, y, lse }, dropoutDims);
            bench.run();
            bench.plan.free();
            await bench.expect(y, expected.out, tolerance(example));
            await bench.expectWithin(lse, expected.logSumExp, (i) =>
              tolerance(example) * Math.max(1, Math.abs(expected.logSumExp[i])));
          }
        }),
    },
    {
      name: `backward: ${label}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { qkv, dY, mask } = inputs(example);
          const { out, logSumExp } = twin.attention(qkv, size, mask);
          const expectedDelta = new Float64Array(B * H * T); // Σ over D of dy·y
          dY.forEach((dy, i) => {
            const [row, head] = [Math.floor(i / C), Math.floor((i % C) / D)];
            expectedDelta[(Math.floor(row / T) * H + head) * T + row % T] += dy * out[i];
          });
          const dy = bench.tensor("dy", [B, T, C], dY);
          const y = bench.tensor("y", [B, T, C], out);
          for (const { name, kernel } of variantsOf(attentionBackwardDelta, dims)) {
            const delta = bench.output(`delta of ${name}`, [B, H, T]);
            bench.plan.record(kernel, { dy, y, delta }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(delta, expectedDelta, 4 * F32_EPSILON * Math.sqrt(D));
          }
          const bindings = {
            step: bench.step({ seed: SEED }),
            qkv: bench.tensor("qkv", [B, T, 3 * C], qkv),
            dy,
            lse: bench.tensor("lse", [B, H, T], logSumExp),
            delta: bench.tensor("delta", [B, H, T], expectedDelta),
          };
          const expected = twin.attentionBackward(dY, qkv, size, mask);
          const keyValue = variantsOf(attentionBackwardKeyValue, dropoutDims);
          for (const [i, { name, kernel }] of variantsOf(attentionBackwardQuery, dropoutDims).entries()) {
            const dqkv = bench.output(`dqkv of ${name}`, [B, T, 3 * C]);
            bench.plan.record(kernel, { ...bindings, dqkv }, dropoutDims);
            bench.plan.record(keyValue[i].kernel, { ...bindings, dqkv }, dropoutDims);
            bench.run();
            bench.plan.free();
            await bench.expect(dqkv, expected, 2 * tolerance(example));
          }
        }),
    },
  ];
}

export const cases: GpuCase[] = EXAMPLES.flatMap(exampleCases);
