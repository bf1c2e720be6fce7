import { describe, expect, test } from "bun:test";
import { attention, attentionBackward } from "../reference/attention.ts";
import { crossEntropy, crossEntropyBackward, IGNORED } from "../reference/cross_entropy.ts";
import { dropout, dropoutBackward } from "../reference/dropout.ts";
import { embedding, embeddingBackward } from "../reference/embedding.ts";
import { dot, finiteDifferences, relativeError } from "../reference/finite_differences.ts";
import { gelu, geluBackward } from "../reference/gelu.ts";
import { layernorm, layernormBackward } from "../reference/layernorm.ts";
import { linear, linearBackward } from "../reference/linear.ts";
import { matmul, matmulBackward, type MatmulForm } from "../reference/matmul.ts";
import { Random } from "../reference/random.ts";
import { residual, residualBackward } from "../reference/residual.ts";

/** Central differences of float64 values near 1 are good to about 1e-9. */
const TOLERANCE = 2e-8;

/** Holds one gradient of an op against differences of its forward pass, under the upstream gradient `dOut`. */
function expectGradient(
  gradient: Float64Array,
  forward: (x: Float64Array) => Float64Array,
  x: Float64Array,
  dOut: Float64Array,
): void {
  const differences = finiteDifferences((probe) => dot(forward(probe), dOut), x);
  expect(relativeError(gradient, differences)).toBeLessThan(TOLERANCE);
}

describe("matmul", () => {
  const [M, N, K] = [5, 7, 6];
  const forms: [MatmulForm, number, number][] = [["nn", M * K, K * N], ["nt", M * K, N * K], ["tn", K * M, K * N]];

  test("multiplies, in each form", () => {
    const dims = { M: 2, N: 2, K: 3 };
    const a = Float64Array.of(1, 2, 3, 4, 5, 6); // (2, 3)
    const aTransposed = Float64Array.of(1, 4, 2, 5, 3, 6);
    const b = Float64Array.of(7, 8, 9, 10, 11, 12); // (3, 2)
    const bTransposed = Float64Array.of(7, 9, 11, 8, 10, 12);
    const product = [58, 64, 139, 154];
    expect([...matmul("nn", a, b, dims)]).toEqual(product);
    expect([...matmul("nt", a, bTransposed, dims)]).toEqual(product);
    expect([...matmul("tn", aTransposed, b, dims)]).toEqual(product);
    expect([...matmul("nn", a, b, dims, Float64Array.of(1, 0, 0, -1))]).toEqual([59, 64, 139, 153]);
  });

  test.each(forms)("%s: gradients", (form, sizeA, sizeB) => {
    const random = new Random(1);
    const [a, b, dOut] = [random.normals(sizeA), random.normals(sizeB), random.normals(M * N)];
    const { dA, dB } = matmulBackward(form, dOut, a, b, { M, N, K });
    expectGradient(dA, (x) => matmul(form, x, b, { M, N, K }), a, dOut);
    expectGradient(dB, (x) => matmul(form, a, x, { M, N, K }), b, dOut);
  });
});

test("linear: gradients", () => {
  const random = new Random(2);
  const dims = { N: 5, inputs: 6, outputs: 7 };
  const [x, weight] = [random.normals(5 * 6), random.normals(6 * 7)];
  const [bias, dOut] = [random.normals(7), random.normals(5 * 7)];
  const { dX, dWeight, dBias } = linearBackward(dOut, x, weight, dims);
  expectGradient(dX, (p) => linear(p, weight, bias, dims), x, dOut);
  expectGradient(dWeight, (p) => linear(x, p, bias, dims), weight, dOut);
  expectGradient(dBias, (p) => linear(x, weight, p, dims), bias, dOut);
});

test("gelu: known values and gradient", () => {
  // torch.nn.functional.gelu(torch.tensor([-3., -1., 0., 0.5, 2.], dtype=torch.float64), approximate="tanh")
  const known = [-0.0036373920817729943, -0.15880800939172324, 0, 0.34571400982514394, 1.9545976940877752];
  expect(relativeError(gelu(Float64Array.of(-3, -1, 0, 0.5, 2)), known)).toBeLessThan(1e-14);
  const random = new Random(3);
  const [x, dOut] = [random.normals(101, 2), random.normals(101)];
  expectGradient(geluBackward(dOut, x), gelu, x, dOut);
});

test("layernorm: gradients", () => {
  const random = new Random(4);
  const dims = { N: 5, C: 7 };
  const [x, weight] = [random.normals(5 * 7, 1, 0.5), random.normals(7)];
  const [bias, dOut] = [random.normals(7), random.normals(5 * 7)];
  const { dX, dWeight, dBias } = layernormBackward(dOut, x, weight, dims);
  expectGradient(dX, (p) => layernorm(p, weight, bias, dims).out, x, dOut);
  expectGradient(dWeight, (p) => layernorm(x, p, bias, dims).out, weight, dOut);
  expectGradient(dBias, (p) => layernorm(x, weight, p, dims).out, bias, dOut);
});

test("embedding: gradients, with repeated tokens and unused rows", () => {
  const random = new Random(5);
  const dims = { B: 2, T: 5, C: 3 };
  const tokens = Uint32Array.of(0, 3, 3, 6, 1, 3, 0, 0, 6, 4);
  const [tokenTable, positionTable, dOut] = [random.normals(7 * 3), random.normals(6 * 3), random.normals(2 * 5 * 3)];
  const lengths = { token: tokenTable.length, position: positionTable.length };
  const { dTokenTable, dPositionTable } = embeddingBackward(dOut, tokens, lengths, dims);
  expectGradient(dTokenTable, (p) => embedding(tokens, p, positionTable, dims), tokenTable, dOut);
  expectGradient(dPositionTable, (p) => embedding(tokens, tokenTable, p, dims), positionTable, dOut);
});

describe("attention", () => {
  const dims = { B: 2, T: 5, C: 6, H: 3 };

  test.each([["without dropout", 0], ["with dropout", 0.4]])("gradient %s", (_, rate) => {
    const random = new Random(6);
    const [qkv, dOut] = [random.normals(2 * 5 * 18), random.normals(2 * 5 * 6)];
    const mask = rate > 0 ? random.dropoutMask(2 * 3 * 5 * 5, rate) : undefined;
    expectGradient(attentionBackward(dOut, qkv, dims, mask), (p) => attention(p, dims, mask).out, qkv, dOut);
  });

  test("looks only backwards: the first position copies its own value", () => {
    const qkv = new Random(7).normals(2 * 5 * 18);
    const { out } = attention(qkv, dims);
    expect([...out.subarray(0, 6)]).toEqual([...qkv.subarray(12, 18)]);
  });

  test("probabilities agree with the log-sum-exp of their row", () => {
    const { B, T, C, H } = { B: 1, T: 4, C: 3, H: 1 };
    const qkv = new Random(8).normals(B * T * 3 * C, 3);
    const { probabilities, logSumExp } = attention(qkv, { B, T, C, H });
    const score = (i: number, j: number) =>
      dot(qkv.subarray(i * 9, i * 9 + 3), qkv.subarray(j * 9 + 3, j * 9 + 6)) / Math.sqrt(3);
    expect(probabilities[2 * T + 1]).toBeCloseTo(Math.exp(score(2, 1) - logSumExp[2]), 12);
    expect(probabilities[2 * T + 3]).toBe(0);
  });
});

describe("cross entropy", () => {
  const dims = { N: 5, V: 7 };

  test.each([
    ["all rows counted", [0, 6, 3, 3, 1]],
    ["ignored rows", [0, IGNORED, 3, IGNORED, 1]],
  ])("gradient, %s", (_, list) => {
    const logits = new Random(9).normals(5 * 7, 2);
    const targets = Uint32Array.from(list);
    const dLogits = crossEntropyBackward(logits, targets, dims);
    const differences = finiteDifferences((p) => crossEntropy(p, targets, dims).loss, logits);
    expect(relativeError(dLogits, differences)).toBeLessThan(TOLERANCE);
  });

  test("nothing counted is a loss and gradient of zero", () => {
    const logits = new Random(10).normals(5 * 7);
    const targets = new Uint32Array(5).fill(IGNORED);
    expect(crossEntropy(logits, targets, dims).loss).toBe(0);
    expect([...crossEntropyBackward(logits, targets, dims)]).toEqual(Array(35).fill(0));
  });

  test("survives logits that overflow a plain exponential", () => {
    const logits = Float64Array.of(1000, 999, -1000);
    expect(crossEntropy(logits, Uint32Array.of(1), { N: 1, V: 3 }).loss).toBeCloseTo(1 + Math.log1p(Math.exp(-1)), 12);
  });
});

test("residual and dropout: gradients", () => {
  const random = new Random(11);
  const [a, b, dOut, mask] = [random.normals(9), random.normals(9), random.normals(9), random.dropoutMask(9, 0.5)];
  const { dA, dB } = residualBackward(dOut);
  expectGradient(dA, (p) => residual(p, b), a, dOut);
  expectGradient(dB, (p) => residual(a, p), b, dOut);
  expectGradient(dropoutBackward(dOut, mask), (p) => dropout(p, mask), a, dOut);
});
