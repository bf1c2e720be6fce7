// Causal multi-head self-attention with an online softmax: y = softmax(q k^T / sqrt(D)) v, the probabilities never stored.
// One invocation (or workgroup: `head_vectors.ts`) holds one query and meets its keys in order: sums have a fixed order.
struct Dims {
  batch: u32,
  heads: u32,
  context: u32,   // T
  head_size: u32, // D
  site: u32,      // which dropout of the model this is
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> qkv: array<Element>;     // (B, T, 3, H, D)
@group(0) @binding(3) var<storage, read_write> y: array<Element>; // (B, T, H, D)
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;   // (B, H, T) log of the sum of exponentials
//#body

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (dims.context + ROWS - 1u) / ROWS;
  let index = group.y * groups.x + group.x;
  let head_row = index / tiles; // b * H + h
  let t = (index % tiles) * ROWS + row_in_tile(lane);
  let part = part_of(lane);
  if (head_row >= dims.batch * dims.heads || t >= dims.context) { return; }
  let size = head_vectors(dims.head_size);
  let width = dims.heads * size;
  let head = (head_row / dims.heads) * dims.context * 3u * width + (head_row % dims.heads) * size + part;
  let scale = inverseSqrt(f32(dims.head_size));

  var q: array<Element, VECTORS>;
  var sum: array<Element, VECTORS>;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) { q[i] = qkv[head + t * 3u * width + i * LANES] * scale; }
  }
  var largest = -0x1p+126f;
  var total = 0.0;
  for (var j = 0u; j <= t; j++) {
    let key = head + j * 3u * width + width;
    var score = 0.0;
    for (var i = 0u; i < VECTORS; i++) { score += inner(q[i], qkv[key + i * LANES]); }
    score = across(lane, score);
    if (score > largest) {
      let shrink = exp(largest - score);
      largest = score;
      total *= shrink;
      for (var i = 0u; i < VECTORS; i++) { sum[i] *= shrink; }
    }
    let p = exp(score - largest);
    total += p;
    let kept = p * dropout_factor(dims.dropout, step.seed, dims.site, head_row * dims.context + t, j);
    for (var i = 0u; i < VECTORS; i++) { sum[i] += kept * qkv[key + width + i * LANES]; }
  }
  let out = ((head_row / dims.heads) * dims.context + t) * width + (head_row % dims.heads) * size + part;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) { y[out + i * LANES] = sum[i] / total; }
  }
  if (part == 0u) { lse[head_row * dims.context + t] = largest + log(total); }
}
