// c = a · b, with either operand transposed as it lies in memory; the loops are unrolled by matmul_emitter.ts.
struct Dims {
  m: u32,
  n: u32,
  k: u32,
  site: u32,    // with a residual: which dropout of the model this is
  dropout: f32, // and its rate
}
@group(0) @binding(0) var<uniform> dims: Dims;
