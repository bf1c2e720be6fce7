import assert from "node:assert/strict";
import { sampleToken } from "#kernels/sample_token.ts";
import { selectRow } from "#kernels/select_row.ts";
import { F32_VECTORS, matrixColumns, type MatrixStorage, matrixStride } from "#src/gpu/matrix.ts";
import { Random } from "../../reference/random.ts";
import type { GpuCase } from "../harness/gpu_case.ts";
import { variantsOf } from "../variants.ts";
import { asStored, storagesFor, Workbench } from "../workbench.ts";

interface Draw {
  logits: Float64Array;
  draws: number;
  context?: number;
  prompt?: number[];
  top_k?: number;
  temperature?: number;
  seed?: number;
  storage?: MatrixStorage;
}

/** Draws from the same logits again and again; gives what came out and what the context became. */
async function draw(
  bench: Workbench,
  { logits, draws, context = 4, prompt = [0], top_k = 0, temperature = 1, seed = 1, storage = F32_VECTORS }: Draw,
) {
  const V = logits.length;
  const stride = matrixStride(V, storage);
  const padded = new Float64Array(stride);
  padded.set(logits);
  const tokens = new Uint32Array(context);
  tokens.set(prompt);
  const bindings = {
    // A padded row where its storage pads it: zeros that must not be drawn.
    logits: matrixColumns(bench.matrix("logits", 1, stride, padded, storage), 0, V),
    state: bench.tensor("state", [3], Uint32Array.of(prompt.length, 0, seed)),
    tokens: bench.tensor("tokens", [context], tokens),
    output: bench.tensor("output", [draws], new Uint32Array(draws).fill(0xffff_ffff)),
  };
  bench.plan.record(sampleToken, bindings, { vocabulary: V, context, top_k, temperature });
  bench.run(draws);
  bench.plan.free();
  return {
    output: [...await bench.readU32(bindings.output)],
    tokens: [...await bench.readU32(bindings.tokens)],
    state: [...await bench.readU32(bindings.state)].slice(0, 2),
  };
}

const argmax = (logits: Float64Array) => logits.indexOf(Math.max(...logits));

export const cases: GpuCase[] = [
  ...[1, 2, 63, 64, 65, 257].map((V): GpuCase => ({
    name: `temperature 0 and top_k 1 take the likeliest of ${V}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        for (const storage of storagesFor(gpu, Math.ceil(V / 4) * 4)) {
          const logits = asStored(new Random(V).normals(V, 3, -9), storage);
          const likeliest = [argmax(logits), argmax(logits)];
          assert.deepEqual((await draw(bench, { logits, draws: 2, temperature: 0, storage })).output, likeliest);
          assert.deepEqual((await draw(bench, { logits, draws: 2, top_k: 1, storage })).output, likeliest);
        }
      }),
  })),
  {
    name: "of equals the first is taken at temperature 0",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const logits = new Float64Array(130).fill(-1);
        logits[70] = logits[129] = logits[3 + 64] = 2;
        assert.deepEqual((await draw(bench, { logits, draws: 1, temperature: 0 })).output, [67]);
      }),
  },
  {
    name: "the context fills, then slides",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const logits = Float64Array.of(0, 0, 5, 0);
        const filling = await draw(bench, { logits, draws: 2, context: 5, prompt: [1, 3], temperature: 0 });
        assert.deepEqual(filling, { output: [2, 2], tokens: [1, 3, 2, 2, 0], state: [4, 2] });
        const sliding = await draw(bench, { logits, draws: 2, context: 3, prompt: [1, 3], temperature: 0 });
        assert.deepEqual(sliding, { output: [2, 2], tokens: [3, 2, 2], state: [3, 2] });
      }),
  },
  ...[{ temperature: 1, top_k: 0 }, { temperature: 0.5, top_k: 0 }, { temperature: 2, top_k: 3 }].map((
    settings,
  ): GpuCase => ({
    name: `draws follow the softmax at temperature ${settings.temperature}, top_k ${settings.top_k}`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const draws = 4000;
        const logits = Float64Array.of(1, -2, 0.5, 2, -1, 0, 1.5);
        const { output } = await draw(bench, { logits, draws, ...settings });
        const threshold = settings.top_k ? [...logits].sort((a, b) => b - a)[settings.top_k - 1] : -Infinity;
        const weights = logits.map((logit) => (logit < threshold ? 0 : Math.exp(logit / settings.temperature)));
        const total = weights.reduce((a, b) => a + b, 0);
        weights.forEach((weight, token) => {
          const probability = weight / total;
          const share = output.filter((drawn) => drawn === token).length / draws;
          const deviation = Math.sqrt(probability * (1 - probability) / draws);
          assert.ok(
            Math.abs(share - probability) <= 4.5 * deviation,
            `token ${token}: ${share}, expected ${probability}`,
          );
        });
      }),
  })),
  {
    name: "the same seed draws the same tokens, another draws others",
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        const logits = new Random(3).normals(65);
        const drawn = async (seed: number) => (await draw(bench, { logits, draws: 50, seed })).output;
        const first = await drawn(7);
        assert.deepEqual(await drawn(7), first);
        assert.notDeepEqual(await drawn(8), first);
      }),
  },
  ...[1, 48, 63, 64, 260].map((channels): GpuCase => ({
    name: `the last token's row of ${channels} channels`,
    run: (gpu) =>
      Workbench.use(gpu, async (bench) => {
        for (const storage of storagesFor(gpu, channels)) {
          const rows = asStored(new Random(channels).normals(5 * channels), storage);
          const x = bench.matrix("x", 5, channels, rows, storage);
          for (const { name, kernel } of variantsOf(selectRow, { channels }, gpu)) {
            for (const held of [1, 3, 5]) {
              const state = bench.tensor("state", [3], Uint32Array.of(held, 9, 1));
              const y = bench.outputMatrix(`y of ${name}`, 1, channels, storage);
              bench.plan.record(kernel, { state, x, y }, { channels });
              bench.run();
              bench.plan.free();
              await bench.expect(y, rows.slice((held - 1) * channels, held * channels), 0);
            }
          }
        }
      }),
  })),
];
