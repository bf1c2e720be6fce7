// Softmax, cross-entropy loss and its gradient over each row of logits: one lane's, or a workgroup's.
// loss = log(sum(exp(logits))) - logits[target]; gradient = (softmax - onehot) * inverse_targets * loss scale.
// store_gradient(row, column, value) is where the gradient goes: cross_entropy.ts appends it.
struct Dims {
  rows: u32,
  vocabulary: u32,
  gradient: u32, // 0: the loss alone
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> targets: array<u32>;      // (rows); 0xFFFFFFFF: no loss, no gradient
@group(0) @binding(3) var<storage, read> loss_scale: array<f32>;   // what gradients are multiplied by: 1 but in f16
@group(0) @binding(4) var<storage, read_write> losses: array<f32>; // (rows)
// logits: (rows, V), from V to the next vec4 anything

//#body

const LEAST = -0x1p+126f; // below every logit, and far enough from the largest f32 to be subtracted

// `value` where the columns are of the vocabulary, `other` past it.
fn in_vocabulary(column: u32, value: vec4<f32>, other: f32) -> vec4<f32> {
  if (TAIL == 0u) { return value; }
  return select(vec4(other), value, column + vec4(0u, 1u, 2u, 3u) < vec4(dims.vocabulary));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + row_in_group(lane);
  if (row >= dims.rows) { return; }
  let first = 4u * part_of_row(lane);
  let ignored = targets[row] == 0xffffffffu;
  let label = select(targets[row], 0u, ignored);
  let label_logit = load_logits(row, label & ~3u)[label & 3u]; // before the gradient may take its place
  // The sum of exponentials keeps up with the largest logit so far: one pass, five exponentials a vec4.
  var largest = LEAST;
  var sum = 0.0;
  for (var c = first; c < dims.vocabulary; c += 4u * LANES) {
    let x = in_vocabulary(c, load_logits(row, c), LEAST);
    let larger = max(max(max(x.x, x.y), max(x.z, x.w)), largest);
    sum = sum * exp(largest - larger) + dot(exp(x - larger), vec4(1.0));
    largest = larger;
  }
  let row_largest = max_of_row(lane, largest);
  sum = sum_of_row(lane, sum * exp(largest - row_largest));
  if (part_of_row(lane) == 0u) { losses[row] = select(row_largest + log(sum) - label_logit, 0.0, ignored); }
  if (dims.gradient == 0u) { return; }
  row_barrier();
  let factor = select(step.inverse_targets * loss_scale[0], 0.0, ignored);
  let scale = factor / sum;
  for (var c = first; c < dims.vocabulary; c += 4u * LANES) {
    let softmax = exp(load_logits(row, c) - row_largest) * scale;
    let onehot = select(vec4(0.0), vec4(factor), c + vec4(0u, 1u, 2u, 3u) == vec4(label));
    store_gradient(row, c, in_vocabulary(c, softmax - onehot, 0.0));
  }
}
