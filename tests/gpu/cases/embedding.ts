import { embeddingBackward } from "#kernels/embedding_backward.ts";
import { embeddingForward } from "#kernels/embedding_forward.ts";
import { positionBackward } from "#kernels/position_backward.ts";
import * as twin from "../../reference/embedding.ts";
import { Random } from "../../reference/random.ts";
import { sortByToken } from "../../reference/sort_by_token.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { F32_EPSILON, Workbench } from "../workbench.ts";

interface Size {
  B: number;
  T: number;
  C: number;
  V: number;
  /** Rows of each shard of the token table; they cover V. */
  shards: number[];
}

const SIZES: Size[] = [
  { B: 1, T: 1, C: 1, V: 1, shards: [1] },
  { B: 3, T: 17, C: 48, V: 65, shards: [65] },
  { B: 3, T: 17, C: 33, V: 65, shards: [1, 40, 24] },
  { B: 1, T: 63, C: 5, V: 1, shards: [1] },
  { B: 2, T: 64, C: 1, V: 257, shards: [128, 129] },
  { B: 1, T: 65, C: 3, V: 1000, shards: [1000] },
];

function example({ B, T, C, V }: Size) {
  const random = new Random(B * T + C + V);
  return {
    tokens: random.integers(B * T, V),
    table: random.normals(V * C),
    positions: random.normals(T * C),
    dX: random.normals(B * T * C),
  };
}

const plus = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + b[i]);

function sizeCases(size: Size): GpuCase[] {
  const { B, T, C, V, shards } = size;
  const N = B * T;
  const starts = shards.map((_, i) => shards.slice(0, i).reduce((a, b) => a + b, 0));
  const label = `B ${B}, T ${T}, C ${C}, V ${V}, shards of ${shards.join(" and ")}`;
  return [
    {
      name: `forward: ${label}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { tokens, table, positions } = example(size);
          const inputs = {
            tokens: bench.tensor("tokens", [N], tokens),
            positions: bench.tensor("positions", [T, C], positions),
          };
          const x = bench.output("x", [N, C]);
          shards.forEach((shard_rows, i) => {
            const rows = table.slice(starts[i] * C, (starts[i] + shard_rows) * C);
            const dims = { rows: N, channels: C, context: T, first_token: starts[i], shard_rows };
            const shard = bench.tensor(`shard ${i}`, [shard_rows, C], rows);
            bench.plan.record(embeddingForward, { ...inputs, table: shard, x }, dims);
          });
          bench.run();
          // One addition: the right answer is the exact sum, rounded once.
          await bench.expect(x, twin.embedding(tokens, table, positions, size), F32_EPSILON);
        }),
    },
    {
      name: `backward: ${label}`,
      run: (gpu) =>
        Workbench.use(gpu, async (bench) => {
          const { tokens, table, positions, dX } = example(size);
          const lengths = { token: table.length, position: positions.length };
          const { dTokenTable, dPositionTable } = twin.embeddingBackward(dX, tokens, lengths, size);
          const { order, segments } = sortByToken(tokens);
          const dx = bench.tensor("dx", [N, C], dX);
          const inputs = {
            tokens: bench.tensor("tokens", [N], tokens),
            order: bench.tensor("order", [N], order),
            segments: bench.tensor("segments", [N + 1], segments),
          };
          // Gradients accumulate: here onto the tables' own values.
          const dtables = shards.map((shard_rows, i) => {
            const rows = table.slice(starts[i] * C, (starts[i] + shard_rows) * C);
            const dtable = bench.tensor(`dtable ${i}`, [shard_rows, C], rows);
            const dims = { rows: N, channels: C, first_token: starts[i], shard_rows };
            bench.plan.record(embeddingBackward, { ...inputs, dx, dtable }, dims);
            return dtable;
          });
          const dpositions = bench.tensor("dpositions", [T, C], positions);
          bench.plan.record(positionBackward, { dx, dpositions }, { batch: B, row_elements: T * C });
          bench.run();
          const tolerance = 2 * F32_EPSILON * Math.sqrt(N);
          for (const [i, dtable] of dtables.entries()) {
            const part = (all: Float64Array) => all.slice(starts[i] * C, (starts[i] + shards[i]) * C);
            await bench.expect(dtable, plus(part(dTokenTable), part(table)), tolerance);
          }
          await bench.expect(dpositions, plus(dPositionTable, positions), tolerance);
        }),
    },
  ];
}

export const cases: GpuCase[] = SIZES.flatMap(sizeCases);
