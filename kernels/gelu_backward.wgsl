// dx *= GELU'(x), in place: dx comes in as the gradient of GELU's output.
struct Dims {
  elements: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= dims.elements) { return; }
  let v = x[index];
  let t = gelu_tanh(v);
  let slope = 0.7978845608 * (1.0 + 0.134145 * v * v); // 3 * 0.044715
  dx[index] *= 0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * slope;
}
