// dpositions[t] += sum over the batch of dx[b, t].
struct Dims {
  batch: u32,
  row_elements: u32, // T * C
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dx: array<f32>;               // (B, T * C)
@group(0) @binding(2) var<storage, read_write> dpositions: array<f32>; // (T * C)

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= dims.row_elements) { return; }
  var sum = 0.0;
  for (var b = 0u; b < dims.batch; b++) { sum += dx[b * dims.row_elements + index]; }
  dpositions[index] += sum;
}
