/**
 * jax-js as a participant (see `bench/child.ts`): `deno run -A jax_js.js webgpu|wasm SHAPE`, from this folder. GPT-2 as
 * Reverie has it, with biases, AdamW and clipping, the whole step under `jit`. JavaScript, because the package is
 * installed on first use and type checks must pass without it; the specifier is a variable for the same reason.
 *
 * jax-js counts references: an operation consumes its operands, and `.ref` keeps one for another use.
 */
import { createInterface } from "node:readline";
import process from "node:process";

const [backend, shape] = process.argv.slice(2);
const { layers, heads, channels: C, context: T, batch: B, vocabulary: V } = JSON.parse(shape);
const specifier = "@jax-js/jax";
const jax = await import(specifier);
const { numpy: np, nn, tree } = jax;
await jax.init();
jax.defaultDevice(backend);

const N = B * T;
let key = 0;
const weight = (...size) => jax.random.normal(jax.random.key(key++), size).mul(0.02);
const norm = () => ({ scale: np.ones([C]), shift: np.zeros([C]) });
const linear = (inputs, outputs) => ({ weight: weight(inputs, outputs), bias: np.zeros([outputs]) });
let parameters = {
  tokens: weight(V, C),
  positions: weight(T, C),
  blocks: Array.from({ length: layers }, () => ({
    norm1: norm(),
    qkv: linear(C, 3 * C),
    projection: linear(C, C),
    norm2: norm(),
    up: linear(C, 4 * C),
    down: linear(4 * C, C),
  })),
  norm: norm(),
};
let moments1 = tree.map((p) => p.ref.mul(0), parameters);
let moments2 = tree.map((p) => p.ref.mul(0), parameters);

const layerNorm = (x, { scale, shift }) => nn.standardize(x, -1).mul(scale).add(shift);
const apply = (x, { weight, bias }) => np.matmul(x, weight).add(bias);

/** Activations are (N, C) but in attention. One-hot products stand in for lookups: the gradient of `take` does not compile. */
function lossOf({ tokens, positions, blocks, norm }, inputs, targets) {
  const oneHot = nn.oneHot(inputs, V).astype(np.float32);
  let x = np.matmul(oneHot, tokens.ref).reshape([B, T, C]).add(positions).reshape([N, C]);
  for (const { norm1, qkv, projection, norm2, up, down } of blocks) {
    const packed = apply(layerNorm(x.ref, norm1), qkv).reshape([B, T, 3, heads, C / heads]);
    const q = packed.ref.slice([], [], 0);
    const k = packed.ref.slice([], [], 1);
    const v = packed.slice([], [], 2);
    const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([N, C]);
    x = x.add(apply(attended, projection));
    x = x.ref.add(apply(nn.gelu(apply(layerNorm(x, norm2), up)), down));
  }
  const logits = np.matmul(layerNorm(x, norm), tokens.transpose());
  return nn.logSoftmax(logits).mul(nn.oneHot(targets, V).astype(np.float32)).sum().mul(-1 / N);
}

const [BETA1, BETA2, RATE, DECAY, EPSILON, CLIP] = [0.9, 0.99, 1e-3, 0.1, 1e-8, 1];

const step = jax.jit((parameters, moments1, moments2, inputs, targets, correction1, correction2) => {
  const [loss, gradients] = jax.valueAndGrad(lossOf)(tree.ref(parameters), inputs, targets);
  const [ps, structure] = tree.flatten(parameters);
  const [ms, vs] = [tree.flatten(moments1)[0], tree.flatten(moments2)[0]];
  const gs = tree.flatten(gradients)[0];
  const squares = gs.map((g) => np.square(g.ref).sum()).reduce((sum, square) => sum.add(square));
  const factor = np.minimum(np.array(1), np.reciprocal(np.sqrt(squares).mul(1 / CLIP)));
  const updated = ps.map((p, i) => {
    const g = gs[i].mul(factor.ref);
    const m = ms[i].mul(BETA1).add(g.ref.mul(1 - BETA1));
    const v = vs[i].mul(BETA2).add(np.square(g).mul(1 - BETA2));
    const update = m.ref.mul(correction1.ref).div(np.sqrt(v.ref.mul(correction2.ref)).add(EPSILON));
    return [p.mul(1 - RATE * (p.ndim > 1 ? DECAY : 0)).sub(update.mul(RATE)), m, v];
  });
  return [loss, ...[0, 1, 2].map((part) => tree.unflatten(structure, updated.map((parts) => parts[part])))];
});

const randomTokens = () =>
  np.array(Array.from({ length: N }, () => Math.floor(Math.random() * V)), { dtype: np.int32 });
const [inputs, targets] = [randomTokens(), randomTokens()];
await jax.blockUntilReady(tree.ref(parameters));
console.log(JSON.stringify({ ready: `jax-js, ${backend}` }));

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { steps } = JSON.parse(line);
  const start = performance.now();
  let loss;
  for (let i = 0; i < steps; i++) {
    count++;
    const corrections = [1 / (1 - BETA1 ** count), 1 / (1 - BETA2 ** count)].map((value) => np.array(value));
    loss?.dispose();
    [loss, parameters, moments1, moments2] = step(
      parameters,
      moments1,
      moments2,
      inputs.ref,
      targets.ref,
      ...corrections,
    );
  }
  const value = await loss.jsAsync();
  await jax.blockUntilReady(tree.ref(parameters));
  console.log(JSON.stringify({ elapsedMs: performance.now() - start, loss: value }));
}
process.exit(0);
