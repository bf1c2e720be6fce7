import { describe, expect, test } from "bun:test";
import { IGNORED } from "../reference/cross_entropy.ts";
import { finiteDifferences, relativeError } from "../reference/finite_differences.ts";
import { type Gpt2Dims, gpt2Loss, gpt2LossAndGradients, type Gpt2Masks, gpt2Shapes } from "../reference/gpt2.ts";
import { Random } from "../reference/random.ts";

const dims: Gpt2Dims = { B: 2, T: 5, L: 2, H: 3, C: 6, V: 7 };

function example(bias: boolean) {
  const random = new Random(12);
  const parameters = new Map(
    [...gpt2Shapes(dims, bias)].map(([name, shape]) => {
      const mean = /ln_.*weight/.test(name) ? 1 : 0;
      return [name, random.normals(shape.reduce((a, b) => a * b), 0.4, mean)];
    }),
  );
  const tokens = random.integers(dims.B * dims.T, dims.V);
  const targets = random.integers(dims.B * dims.T, dims.V);
  targets[3] = IGNORED;
  return { parameters, tokens, targets, random };
}

describe("gpt2: the gradient of every parameter against finite differences", () => {
  test.each([["with biases", true, 0], ["without biases", false, 0], ["with dropout", true, 0.3]])(
    "%s",
    (_, bias, rate) => {
      const { parameters, tokens, targets, random } = example(bias);
      const { B, T, C, H, L } = dims;
      const dropped = () => random.dropoutMask(B * T * C, rate);
      const masks: Gpt2Masks = {
        embedding: dropped(),
        layers: Array.from({ length: L }, () => ({
          attention: random.dropoutMask(B * H * T * T, rate),
          afterAttention: dropped(),
          afterMlp: dropped(),
        })),
      };
      const { loss, gradients } = gpt2LossAndGradients(parameters, tokens, targets, dims, masks);
      expect(loss).toBe(gpt2Loss(parameters, tokens, targets, dims, masks));
      expect([...gradients.keys()]).toEqual([...parameters.keys()]);
      for (const [name, parameter] of parameters) {
        const lossAt = (probe: Float64Array) =>
          gpt2Loss(new Map(parameters).set(name, probe), tokens, targets, dims, masks);
        const differences = finiteDifferences(lossAt, parameter);
        expect([name, relativeError(gradients.get(name)!, differences) < 1e-6]).toEqual([name, true]);
      }
    },
  );
});
