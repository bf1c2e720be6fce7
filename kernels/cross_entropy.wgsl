// Softmax, cross-entropy loss and its gradient over each row of logits, in place; one workgroup a row.
// loss = log(sum(exp(logits))) - logits[target]; logits become (softmax - onehot) * inverse_targets.
struct Dims {
  rows: u32,
  vocabulary: u32,
  stride: u32,   // elements from row to row, past the vocabulary filled with zeros
  gradient: u32, // 0: the loss alone; logits stay
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> targets: array<u32>;       // (rows); 0xFFFFFFFF: no loss, no gradient
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;  // (rows, stride)
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;  // (rows)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= dims.rows) { return; }
  let start = row * dims.stride;
  let end = start + dims.vocabulary;
  let ignored = targets[row] == 0xffffffffu;
  var largest = -0x1p+126f;
  for (var i = start + lane; i < end; i += WORKGROUP) { largest = max(largest, logits[i]); }
  largest = workgroup_max(lane, largest);
  var sum = 0.0;
  for (var i = start + lane; i < end; i += WORKGROUP) { sum += exp(logits[i] - largest); }
  sum = workgroup_sum(lane, sum);
  let target_index = start + select(targets[row], 0u, ignored);
  if (lane == 0u) { losses[row] = select(largest + log(sum) - logits[target_index], 0.0, ignored); }
  if (dims.gradient == 0u) { return; }
  storageBarrier(); // the target's logit is read before its place is taken by the gradient
  let factor = select(step.inverse_targets, 0.0, ignored);
  for (var i = start + lane; i < end; i += WORKGROUP) {
    logits[i] = (exp(logits[i] - largest) / sum - select(0.0, 1.0, i == target_index)) * factor;
  }
  for (var i = end + lane; i < start + dims.stride; i += WORKGROUP) { logits[i] = 0.0; }
}
