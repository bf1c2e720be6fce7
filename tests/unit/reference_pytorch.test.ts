import { describe, expect, test } from "bun:test";
import { loadGpt2Fixture, movementError, type Training } from "../fixtures/gpt2.ts";
import { gpt2LossAndGradients, gpt2Shapes, type Tensors } from "../reference/gpt2.ts";
import { clipFactor, globalNorm } from "../reference/gradient_norm.ts";
import { adamw, sgd } from "../reference/optimizers.ts";

const fixture = loadGpt2Fixture();

/** Trains the float64 twin as the fixture's PyTorch did. */
function train({ settings }: Training) {
  const weights: Tensors = new Map([...fixture.initial].map(([name, { data }]) => [name, Float64Array.from(data)]));
  const zeros = () => new Map([...weights].map(([name, { length }]) => [name, new Float64Array(length)]));
  const [first, second] = [zeros(), zeros()];
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 1; step <= fixture.steps; step++) {
    const { loss, gradients } = gpt2LossAndGradients(weights, fixture.tokens, fixture.targets, fixture.dims);
    const norm = globalNorm(gradients.values());
    const factor = clipFactor(norm, settings.grad_clip);
    losses.push(loss);
    norms.push(norm);
    for (const [name, weight] of weights) {
      const gradient = gradients.get(name)!.map((g) => g * factor);
      const learningRate = settings.learning_rate;
      if (settings.kind === "sgd") {
        sgd(weight, gradient, first.get(name)!, { learningRate, momentum: settings.momentum! });
      } else {
        const isMatrix = fixture.initial.get(name)!.shape.length >= 2;
        adamw(weight, gradient, first.get(name)!, second.get(name)!, step, {
          learningRate,
          beta1: settings.beta1!,
          beta2: settings.beta2!,
          epsilon: settings.epsilon!,
          weightDecay: isMatrix ? settings.weight_decay! : 0,
        });
      }
    }
  }
  return { losses, norms, weights };
}

describe("gpt2: 20 steps of the float64 twin against PyTorch in float32", () => {
  test("the parameters have the twin's names and shapes, in its order", () => {
    const shapes = [...fixture.initial].map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([...gpt2Shapes(fixture.dims)]);
  });

  // make_fixtures.py prints how far PyTorch's own float32 and float64 end apart: these are ten times that.
  test.each([["sgd"], ["sgd_momentum"], ["adamw"]] as const)("%s", (optimizer) => {
    const training = fixture.trainings[optimizer];
    const { losses, norms, weights } = train(training);
    for (let step = 0; step < fixture.steps; step++) {
      expect(Math.abs(losses[step] - training.losses[step])).toBeLessThan(1e-4);
      expect(Math.abs(norms[step] / training.grad_norms[step] - 1)).toBeLessThan(2e-4);
    }
    for (const [name, weight] of weights) {
      const error = movementError(name, weight, training.final.get(name)!, fixture.initial.get(name)!);
      expect([name, error < 2e-4]).toEqual([name, true]);
    }
  });
});
