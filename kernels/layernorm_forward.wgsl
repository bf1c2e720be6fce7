// y = (x - mean) * rstd * weight + bias over each row: one lane's, or a workgroup's.
struct Dims {
  rows: u32,
  channels: u32,
  epsilon: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// x, y: (N, C); weight, bias: (1, C)
@group(0) @binding(5) var<storage, read_write> mean: array<f32>; // (N)
@group(0) @binding(6) var<storage, read_write> rstd: array<f32>; // (N) 1 / sqrt(variance + epsilon)

//#body

// The deviations of a vec4 from the mean; what lies past the row's end deviates by nothing.
fn deviations(row: u32, column: u32, row_mean: f32) -> vec4<f32> {
  let d = load_x(row, column) - row_mean;
  if (TAIL == 0u) { return d; }
  return select(vec4(0.0), d, column + vec4(0u, 1u, 2u, 3u) < vec4(dims.channels));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + row_in_group(lane);
  if (row >= dims.rows) { return; }
  let first = 4u * part_of_row(lane);
  var sums = vec4(0.0);
  for (var c = first; c < dims.channels; c += 4u * LANES) { sums += load_x(row, c); }
  let row_mean = sum_of_row(lane, dot(sums, vec4(1.0))) / f32(dims.channels);
  var squares = vec4(0.0);
  for (var c = first; c < dims.channels; c += 4u * LANES) {
    let d = deviations(row, c, row_mean);
    squares += d * d;
  }
  let row_rstd = inverseSqrt(sum_of_row(lane, dot(squares, vec4(1.0))) / f32(dims.channels) + dims.epsilon);
  for (var c = first; c < dims.channels; c += 4u * LANES) {
    store_y(row, c, (load_x(row, c) - row_mean) * row_rstd * load_weight(0u, c) + load_bias(0u, c));
  }
  if (part_of_row(lane) == 0u) {
    mean[row] = row_mean;
    rstd[row] = row_rstd;
  }
}
