// parameters -= learning_rate * gradients. A gradient norm that is not finite skips the update whole.
struct Dims {
  vectors: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> norm: array<f32>; // (2) norm, scale
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if (!is_finite(norm[0])) { return; }
  let clip = norm[1];
  let start = (group.y * groups.x + group.x) * RUN;
  let end = min(start + RUN, dims.vectors);
  for (var i = start + lane; i < end; i += WORKGROUP) {
    parameters[i] -= step.learning_rate * (gradients[i] * clip);
  }
}
