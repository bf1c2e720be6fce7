// dweight += sum over rows of dy * xhat, dbias += sum over rows of dy.
// A workgroup has LANES vec4s of channels and STRIDES strides of rows; the strides are added in order.
struct Dims {
  rows: u32,
  channels: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// dy, x: (N, C); dweight, dbias: (1, C)
@group(0) @binding(3) var<storage, read> mean: array<f32>; // (N)
@group(0) @binding(4) var<storage, read> rstd: array<f32>; // (N)

//#body

@compute @workgroup_size(LANES * STRIDES)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = 4u * ((group.y * groups.x + group.x) * LANES + lane % LANES);
  var dweight = vec4(0.0);
  var dbias = vec4(0.0);
  if (column < dims.channels) {
    for (var row = lane / LANES; row < dims.rows; row += STRIDES) {
      let g = load_dy(row, column);
      dweight += g * ((load_x(row, column) - mean[row]) * rstd[row]);
      dbias += g;
    }
  }
  dweight = sum_of_strides(lane, dweight);
  dbias = sum_of_strides(lane, dbias);
  if (lane < LANES && column < dims.channels) {
    store_dweight(0u, column, load_dweight(0u, column) + dweight);
    store_dbias(0u, column, load_dbias(0u, column) + dbias);
  }
}
