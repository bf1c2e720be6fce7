// y = map(x), each element by itself: elementwise.ts appends `map`.
struct Dims {
  rows: u32,
  columns: u32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
// x: (rows, columns), y: (rows, columns)

@compute @workgroup_size(LANES * ROWS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * ROWS + lane / LANES;
  if (row >= dims.rows) { return; }
  for (var column = lane % LANES * 4u; column < dims.columns; column += 4u * LANES) {
    store_y(row, column, map(load_x(row, column)));
  }
}
