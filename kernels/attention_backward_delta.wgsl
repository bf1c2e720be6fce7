// delta = sum over D of dy * y for each row of each head: what the softmax's backward subtracts.
struct Dims {
  batch: u32,
  heads: u32,
  context: u32,
  head_size: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dy: array<Element>;        // (B, T, H, D)
@group(0) @binding(2) var<storage, read> y: array<Element>;         // (B, T, H, D)
@group(0) @binding(3) var<storage, read_write> delta: array<f32>;   // (B, H, T)
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
  let start = (((head_row / dims.heads) * dims.context + t) * dims.heads + head_row % dims.heads) * head_vectors(dims.head_size) + part;
  var sum = 0.0;
  for (var i = 0u; i < VECTORS; i++) {
    if (held(i * LANES + part)) { sum += inner(dy[start + i * LANES], y[start + i * LANES]); }
  }
  sum = across(lane, sum);
  if (part == 0u) { delta[head_row * dims.context + t] = sum; }
}
