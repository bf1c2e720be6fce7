// y = (x - mean) * rstd * weight + bias over each row; one workgroup a row.
struct Dims {
  rows: u32,
  channels: u32,
  epsilon: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;          // (N, C)
@group(0) @binding(2) var<storage, read> weight: array<f32>;     // (C)
@group(0) @binding(3) var<storage, read> bias: array<f32>;       // (C)
@group(0) @binding(4) var<storage, read_write> y: array<f32>;    // (N, C)
@group(0) @binding(5) var<storage, read_write> mean: array<f32>; // (N)
@group(0) @binding(6) var<storage, read_write> rstd: array<f32>; // (N) 1 / sqrt(variance + epsilon)

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
  var sum = 0.0;
  for (var i = start + lane; i < end; i += WORKGROUP) { sum += x[i]; }
  let row_mean = workgroup_sum(lane, sum) / f32(dims.channels);
  var squares = 0.0;
  for (var i = start + lane; i < end; i += WORKGROUP) { let d = x[i] - row_mean; squares += d * d; }
  let row_rstd = inverseSqrt(workgroup_sum(lane, squares) / f32(dims.channels) + dims.epsilon);
  for (var i = start + lane; i < end; i += WORKGROUP) {
    y[i] = (x[i] - row_mean) * row_rstd * weight[i - start] + bias[i - start];
  }
  if (lane == 0u) {
    mean[row] = row_mean;
    rstd[row] = row_rstd;
  }
}
