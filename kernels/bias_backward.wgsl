// dbias += sum over rows of dy. A workgroup has 8 channels and 8 strides of rows; the strides are added in order.
struct Dims {
  rows: u32,
  channels: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dy: array<f32>;          // (N, C)
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>; // (C)

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let channel = (group.y * groups.x + group.x) * 8u + lane % 8u;
  let stride = lane / 8u;
  var sum = 0.0;
  if (channel < dims.channels) {
    for (var row = stride; row < dims.rows; row += 8u) { sum += dy[row * dims.channels + channel]; }
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (stride == 0u && channel < dims.channels) {
    for (var i = 1u; i < 8u; i++) { sum += partial[i * 8u + lane]; }
    dbias[channel] += sum;
  }
}
