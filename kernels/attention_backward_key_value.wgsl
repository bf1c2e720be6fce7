// dk and dv: one invocation (or workgroup) holds one key and its value and meets the queries that see them in order.
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
@group(0) @binding(6) var<storage, read_write> dqkv: array<Element>; // (B, T, 3, H, D), the keys' and values' parts
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
  let j = (index % tiles) * ROWS + row_in_tile(lane);
  let part = part_of(lane);
  if (head_row >= dims.batch * dims.heads || j >= dims.context) { return; }
  let size = head_vectors(dims.head_size);
  let width = dims.heads * size;
  let head = (head_row / dims.heads) * dims.context * 3u * width + (head_row % dims.heads) * size + part;
  let out = (head_row / dims.heads) * dims.context * width + (head_row % dims.heads) * size + part;
  let scale = inverseSqrt(f32(dims.head_size));
  let key = head + j * 3u * width + width;

  var k: array<Element, VECTORS>;
  var v: array<Element, VECTORS>;
  var dk: array<Element, VECTORS>;
  var dv: array<Element, VECTORS>;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) {
      k[i] = qkv[key + i * LANES] * scale;
      v[i] = qkv[key + width + i * LANES];
    }
  }
  for (var t = j; t < dims.context; t++) {
    let query = head + t * 3u * width;
    let dout = out + t * width;
    let row = head_row * dims.context + t;
    var score = 0.0;
    var dp = 0.0;
    for (var i = 0u; i < VECTORS; i++) {
      score += inner(k[i], qkv[query + i * LANES]);
      dp += inner(v[i], dy[dout + i * LANES]);
    }
    score = across(lane, score);
    dp = across(lane, dp);
    let factor = dropout_factor(dims.dropout, step.seed, dims.site, row, j);
    let p = exp(score - lse[row]);
    let ds = p * (dp * factor - delta[row]) * scale;
    for (var i = 0u; i < VECTORS; i++) {
      dv[i] += p * factor * dy[dout + i * LANES];
      dk[i] += ds * qkv[query + i * LANES];
    }
  }
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) {
      dqkv[key + i * LANES] = dk[i];
      dqkv[key + width + i * LANES] = dv[i];
    }
  }
}
