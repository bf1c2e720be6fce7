export interface AdamWSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/** One step of `torch.optim.AdamW` in place: decoupled decay, bias correction. `step` counts from 1. */
export function adamw(
  weight: Float64Array,
  gradient: Float64Array,
  firstMoment: Float64Array,
  secondMoment: Float64Array,
  step: number,
  { learningRate, beta1, beta2, epsilon, weightDecay }: AdamWSettings,
): void {
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i];
    firstMoment[i] = beta1 * firstMoment[i] + (1 - beta1) * g;
    secondMoment[i] = beta2 * secondMoment[i] + (1 - beta2) * g * g;
    const mean = firstMoment[i] / (1 - beta1 ** step);
    const deviation = Math.sqrt(secondMoment[i] / (1 - beta2 ** step));
    weight[i] = weight[i] * (1 - learningRate * weightDecay) - learningRate * mean / (deviation + epsilon);
  }
}

/** One step of `torch.optim.SGD` in place; `velocity` starts at 0 (which gives PyTorch's first step, without dampening). */
export function sgd(
  weight: Float64Array,
  gradient: Float64Array,
  velocity: Float64Array,
  { learningRate, momentum }: { learningRate: number; momentum: number },
): void {
  for (let i = 0; i < weight.length; i++) {
    velocity[i] = momentum * velocity[i] + gradient[i];
    weight[i] -= learningRate * velocity[i];
  }
}
