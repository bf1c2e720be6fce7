// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * weight, over each row: one lane's, or a workgroup's.
// before(row, column) is what dx is added to, finish(row, column, value) stores it: layernorm_backward.ts appends both.
struct Dims {
  rows: u32,
  channels: u32,
  site: u32,    // of the dropout that dx passes next
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// dy, x, dx: (N, C); weight: (1, C)
@group(0) @binding(4) var<storage, read> mean: array<f32>; // (N)
@group(0) @binding(5) var<storage, read> rstd: array<f32>; // (N)

//#body

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + row_in_group(lane);
  if (row >= dims.rows) { return; }
  let first = 4u * part_of_row(lane);
  let row_mean = mean[row];
  let row_rstd = rstd[row];
  var sums = vec4(0.0);
  var sums_xhat = vec4(0.0);
  for (var c = first; c < dims.channels; c += 4u * LANES) {
    let g = load_dy(row, c) * load_weight(0u, c);
    sums += g;
    sums_xhat += g * ((load_x(row, c) - row_mean) * row_rstd); // past the row's end g is 0
  }
  let mean_g = sum_of_row(lane, dot(sums, vec4(1.0))) / f32(dims.channels);
  let mean_g_xhat = sum_of_row(lane, dot(sums_xhat, vec4(1.0))) / f32(dims.channels);
  for (var c = first; c < dims.channels; c += 4u * LANES) {
    let xhat = (load_x(row, c) - row_mean) * row_rstd;
    let g = load_dy(row, c) * load_weight(0u, c);
    finish(row, c, before(row, c) + row_rstd * (g - mean_g - xhat * mean_g_xhat));
  }
}
