// Of every block of 64 columns of every row: a sum in which each column has a weight of its own, and one of magnitudes.
struct Dims {
  rows: u32,
  columns: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// x: (rows, columns)
@group(0) @binding(2) var<storage, read_write> sums: array<vec2<f32>>; // (rows, blocks)

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocks = (dims.columns + 63u) / 64u;
  let index = (group.y * groups.x + group.x) * WORKGROUP + lane;
  if (index >= dims.rows * blocks) { return; }
  let row = index / blocks;
  let start = (index % blocks) * 64u;
  var sum = vec4(0.0);
  var magnitude = vec4(0.0);
  for (var i = 0u; i < min(64u, dims.columns - start); i += 4u) {
    let places = vec4(i) + vec4(0u, 1u, 2u, 3u);
    let weight = 0.5 + fract(vec4<f32>(places) * 0.618034);
    let value = select(vec4(0.0), weight * load_x(row, start + i), vec4(start) + places < vec4(dims.columns));
    sum += value;
    magnitude += abs(value);
  }
  sums[index] = vec2(dot(sum, vec4(1.0)), dot(magnitude, vec4(1.0)));
}
