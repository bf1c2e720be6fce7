// dq: one invocation (or workgroup) holds one query and meets its keys in order; probabilities come again from the log-sum-exp.
struct Dims {
  batch: u32,
  heads: u32,
  context: u32,
  head_size: u32,
  site: u32,
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> qkv: array<Element>;        // (B, T, 3, H, D)
@group(0) @binding(3) var<storage, read> dy: array<Element>;         // (B, T, H, D)
@group(0) @binding(4) var<storage, read> lse: array<f32>;            // (B, H, T)
@group(0) @binding(5) var<storage, read> delta: array<f32>;          // (B, H, T)
@group(0) @binding(6) var<storage, read_write> dqkv: array<Element>; // (B, T, 3, H, D), the queries' part
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
  let out = ((head_row / dims.heads) * dims.context + t) * width + (head_row % dims.heads) * size + part;
  let row = head_row * dims.context + t;
  let scale = inverseSqrt(f32(dims.head_size));

  var q: array<Element, VECTORS>;
  var dout: array<Element, VECTORS>;
  var dq: array<Element, VECTORS>;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) {
      q[i] = qkv[head + t * 3u * width + i * LANES] * scale;
      dout[i] = dy[out + i * LANES];
    }
  }
  for (var j = 0u; j <= t; j++) {
    let key = head + j * 3u * width + width;
    var score = 0.0;
    var dp = 0.0;
    for (var i = 0u; i < VECTORS; i++) {
      score += inner(q[i], qkv[key + i * LANES]);
      dp += inner(dout[i], qkv[key + width + i * LANES]);
    }
    score = across(lane, score);
    dp = across(lane, dp);
    let factor = dropout_factor(dims.dropout, step.seed, dims.site, row, j);
    let ds = exp(score - lse[row]) * (dp * factor - delta[row]) * scale;
    for (var i = 0u; i < VECTORS; i++) { dq[i] += ds * qkv[key + i * LANES]; }
  }
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) { dqkv[head + t * 3u * width + i * LANES] = dq[i]; }
  }
}
