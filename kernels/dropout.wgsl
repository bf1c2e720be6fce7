// y = dropout(x), forward and backward alike: the mask is drawn again from its counters.
struct Dims {
  rows: u32,
  channels: u32,
  site: u32,    // which dropout of the model this is
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
// x, y: (N, C)

@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + lane / LANES;
  if (row >= dims.rows) { return; }
  for (var c = 4u * (lane % LANES); c < dims.channels; c += 4u * LANES) {
    store_y(row, c, load_x(row, c) * dropout_factors(dims.dropout, step.seed, dims.site, row, c));
  }
}
