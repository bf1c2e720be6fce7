// AdamW with decoupled weight decay and bias correction (Loshchilov and Hutter), PyTorch's order of operations.
// A gradient norm that is not finite skips the update whole.
struct Dims {
  vectors: u32,
  beta1: f32,
  beta2: f32,
  one_minus_beta1: f32, // rounded once: 1 - beta2 in f32 is off by 1e-4 at 0.9999
  one_minus_beta2: f32,
  epsilon: f32,
  weight_decay: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> norm: array<f32>;                    // (2) norm, scale
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> first_moments: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> second_moments: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if (!is_finite(norm[0])) { return; }
  let clip = norm[1];
  let decay = 1.0 - step.learning_rate * dims.weight_decay;
  let rate = step.learning_rate / step.correction1;
  let root = sqrt(step.correction2);
  let start = (group.y * groups.x + group.x) * RUN;
  let end = min(start + RUN, dims.vectors);
  for (var i = start + lane; i < end; i += WORKGROUP) {
    let g = gradients[i] * clip;
    let m = dims.beta1 * first_moments[i] + dims.one_minus_beta1 * g;
    let v = dims.beta2 * second_moments[i] + dims.one_minus_beta2 * g * g;
    first_moments[i] = m;
    second_moments[i] = v;
    parameters[i] = parameters[i] * decay - rate * m / (sqrt(v) / root + dims.epsilon);
  }
}
