// dpositions[t] += sum over the batch of dx[b, t].
struct Dims {
  batch: u32,
  context: u32, // T
  channels: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// dx: (B * T, C); dpositions: (T, C)

@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + lane / LANES;
  if (row >= dims.context) { return; }
  for (var c = 4u * (lane % LANES); c < dims.channels; c += 4u * LANES) {
    var sum = vec4(0.0);
    for (var b = 0u; b < dims.batch; b++) { sum += load_dx(b * dims.context + row, c); }
    store_dpositions(row, c, load_dpositions(row, c) + sum);
  }
}
