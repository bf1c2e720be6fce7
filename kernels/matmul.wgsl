// c = a · b, with either operand transposed as it lies in memory; the loops are unrolled by matmul_emitter.ts.
struct Dims {
  m: u32,
  n: u32,
  k: u32,
  a_stride: u32, // elements from row to row as stored
  b_stride: u32,
  c_stride: u32,
  accumulate: u32, // 1: c += a · b; read at compile time, as ACCUMULATE
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<Element>;
@group(0) @binding(2) var<storage, read> b: array<Element>;
@group(0) @binding(3) var<storage, read_write> c: array<Element>; // (m, n)
//#body
