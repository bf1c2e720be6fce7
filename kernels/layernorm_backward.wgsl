// dx (+)= rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * weight, over each row; one workgroup a row.
struct Dims {
  rows: u32,
  channels: u32,
  accumulate: u32, // 1: add to dx, the residual stream's gradient
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dy: array<f32>;        // (N, C)
@group(0) @binding(2) var<storage, read> x: array<f32>;         // (N, C)
@group(0) @binding(3) var<storage, read> weight: array<f32>;    // (C)
@group(0) @binding(4) var<storage, read> mean: array<f32>;      // (N)
@group(0) @binding(5) var<storage, read> rstd: array<f32>;      // (N)
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;  // (N, C)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= dims.rows) { return; }
  let start = row * dims.channels;
  let end = start + dims.channels;
  let row_mean = mean[row];
  let row_rstd = rstd[row];
  var sum = 0.0;
  var sum_xhat = 0.0;
  for (var i = start + lane; i < end; i += WORKGROUP) {
    let g = dy[i] * weight[i - start];
    sum += g;
    sum_xhat += g * (x[i] - row_mean) * row_rstd;
  }
  let mean_g = workgroup_sum(lane, sum) / f32(dims.channels);
  let mean_g_xhat = workgroup_sum(lane, sum_xhat) / f32(dims.channels);
  for (var i = start + lane; i < end; i += WORKGROUP) {
    let xhat = (x[i] - row_mean) * row_rstd;
    let gradient = row_rstd * (dy[i] * weight[i - start] - mean_g - xhat * mean_g_xhat);
    if (dims.accumulate == 1u) { dx[i] += gradient; } else { dx[i] = gradient; }
  }
}
