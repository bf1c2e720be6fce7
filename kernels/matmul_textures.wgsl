// c = a · b, both operands read through textures: the cheapest loads on llvmpipe, 4.5 cycles a component against 19 from
// a storage buffer. The loops are unrolled by matmul_emitter.ts.
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
@group(0) @binding(1) var a: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> c: array<Element>; // (m, n)
//#body
