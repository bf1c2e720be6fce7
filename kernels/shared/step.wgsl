
// What changes from step to step, written by the trainer: kernels/shared/step.ts packs it.
struct Step {
  seed: u32,
  inverse_targets: f32,  // 1 / targets in the whole batch: the loss is their mean
  learning_rate: f32,
  correction1: f32,      // 1 - beta1^t
  correction2: f32,      // 1 - beta2^t
}
