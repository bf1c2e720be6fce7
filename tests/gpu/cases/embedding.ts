import { embeddingBackward } from "#kernels/embedding_backward.ts";
import { embeddingForward } from "#kernels/embedding_forward.ts";
import { positionBackward } from "#kernels/position_backward.ts";
import type { MatrixStorage } from "#src/gpu/matrix.ts";
import * as twin from "../../reference/embedding.ts";
import { Random } from "../../reference/random.ts";
import { sortByToken } from "../../reference/sort_by_token.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { arenaStorage, asStored, F32_EPSILON, storagesFor, Workbench } from "../workbench.ts";

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
  { B: 2, T: 9, C: 260, V: 7, shards: [3, 4] },
  { B: 1, T: 65, C: 3, V: 1000, shards: [1000] },
];

/** Tables and gradients as `storage` holds them. */
function exampleOf({ B, T, C, V }: Size, storage: MatrixStorage) {
  const random = new Random(B * T + C + V);
  const normals = (length: number) => asStored(random.normals(length), storage);
  return {
    tokens: random.integers(B * T, V),
    table: normals(V * C),
    positions: normals(T * C),
    dX: normals(B * T * C),
    tableBefore: random.normals(V * C),
    positionsBefore: random.normals(T * C),
  };
}

const plus = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + b[i]);

/** Each shard's first row, rows and part of a (V, C) table. */
function shardsOf({ C, shards }: Size) {
  return shards.map((rows, i) => {
    const first = shards.slice(0, i).reduce((a, b) => a + b, 0);
    return { first, rows, part: (table: Float64Array) => table.slice(first * C, (first + rows) * C) };
  });
}

function forwardCase(size: Size): GpuCase {
  const { B, T, C } = size;
  const N = B * T;
  return {
    name: `forward: ${label(size)}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        for (const storage of storagesFor(gpu, C)) {
          const { tokens, table, positions } = exampleOf(size, storage);
          const inputs = {
            step: bench.step({}),
            tokens: bench.tensor("tokens", [N], tokens),
            positions: bench.matrix("positions", T, C, positions, storage),
          };
          const shards = shardsOf(size).map(({ first, rows, part }) => ({
            dims: { rows: N, channels: C, context: T, first_token: first, shard_rows: rows, site: 0, dropout: 0 },
            table: bench.matrix("table", rows, C, part(table), storage),
          }));
          for (const { name } of variantsOf(embeddingForward, shards[0].dims, gpu)) {
            const x = bench.outputMatrix(`x of ${name}`, N, C, storage);
            for (const { dims, table } of shards) {
              const { kernel } = variantsOf(embeddingForward, dims, gpu).find((variant) => variant.name === name)!;
              bench.plan.record(kernel, { ...inputs, table, x }, dims);
            }
            bench.run();
            bench.plan.free();
            // One addition: the right answer is the exact sum, rounded once.
            await bench.expect(x, twin.embedding(tokens, table, positions, size), F32_EPSILON);
          }
        }
      }),
  };
}

/** Gradients accumulate, and are f32 whatever dx is. */
function backwardCase(size: Size): GpuCase {
  const { B, T, C } = size;
  const N = B * T;
  return {
    name: `backward: ${label(size)}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const tolerance = 2 * F32_EPSILON * Math.sqrt(N);
        const arena = arenaStorage(C);
        for (const storage of storagesFor(gpu, C)) {
          const { tokens, dX, tableBefore, positionsBefore } = exampleOf(size, storage);
          const lengths = { token: tableBefore.length, position: positionsBefore.length };
          const { dTokenTable, dPositionTable } = twin.embeddingBackward(dX, tokens, lengths, size);
          const { order, segments } = sortByToken(tokens);
          const dx = bench.matrix("dx", N, C, dX, storage);
          const inputs = {
            tokens: bench.tensor("tokens", [N], tokens),
            order: bench.tensor("order", [N], order),
            segments: bench.tensor("segments", [N + 1], segments),
            dx,
          };
          for (const { first, rows, part } of shardsOf(size)) {
            const dims = { rows: N, channels: C, first_token: first, shard_rows: rows };
            for (const { name, kernel } of variantsOf(embeddingBackward, dims, gpu)) {
              const dtable = bench.matrix(`dtable of ${name}`, rows, C, part(tableBefore), arena);
              bench.plan.record(kernel, { ...inputs, dtable }, dims);
              bench.run();
              bench.plan.free();
              await bench.expect(dtable, plus(part(dTokenTable), part(tableBefore)), tolerance);
            }
          }
          const dims = { batch: B, context: T, channels: C };
          for (const { name, kernel } of variantsOf(positionBackward, dims, gpu)) {
            const dpositions = bench.matrix(`dpositions of ${name}`, T, C, positionsBefore, arena);
            bench.plan.record(kernel, { dx, dpositions }, dims);
            bench.run();
            bench.plan.free();
            await bench.expect(dpositions, plus(dPositionTable, positionsBefore), tolerance);
          }
        }
      }),
  };
}

const label = ({ B, T, C, V, shards }: Size) => `B ${B}, T ${T}, C ${C}, V ${V}, shards of ${shards.join(" and ")}`;

export const cases: GpuCase[] = SIZES.flatMap((size) => [forwardCase(size), backwardCase(size)]);
