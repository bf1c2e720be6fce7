// dweight += sum over rows of dy * xhat, dbias += sum over rows of dy.
// A workgroup has 8 channels and 8 strides of rows; the strides are added in order.
struct Dims {
  rows: u32,
  channels: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dy: array<f32>;            // (N, C)
@group(0) @binding(2) var<storage, read> x: array<f32>;             // (N, C)
@group(0) @binding(3) var<storage, read> mean: array<f32>;          // (N)
@group(0) @binding(4) var<storage, read> rstd: array<f32>;          // (N)
@group(0) @binding(5) var<storage, read_write> dweight: array<f32>; // (C)
@group(0) @binding(6) var<storage, read_write> dbias: array<f32>;   // (C)

var<workgroup> partial: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let channel = (group.y * groups.x + group.x) * 8u + lane % 8u;
  let stride = lane / 8u;
  var sums = vec2(0.0);
  if (channel < dims.channels) {
    for (var row = stride; row < dims.rows; row += 8u) {
      let g = dy[row * dims.channels + channel];
      sums += vec2(g * (x[row * dims.channels + channel] - mean[row]) * rstd[row], g);
    }
  }
  partial[lane] = sums;
  workgroupBarrier();
  if (stride == 0u && channel < dims.channels) {
    for (var i = 1u; i < 8u; i++) { sums += partial[i * 8u + lane]; }
    dweight[channel] += sums.x;
    dbias[channel] += sums.y;
  }
}
