// total += sum of losses, by one workgroup in a fixed order.
struct Dims {
  rows: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> losses: array<f32>;      // (rows)
@group(0) @binding(2) var<storage, read_write> total: array<f32>; // (1)

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < dims.rows; i += WORKGROUP) { sum += losses[i]; }
  sum = workgroup_sum(lane, sum);
  if (lane == 0u) { total[0] += sum; }
}
