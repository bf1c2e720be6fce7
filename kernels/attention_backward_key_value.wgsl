// dk and dv. qkv: (B·T, 3·H·D), dy: (B·T, H·D), dqkv: (B·T, 3·H·D), the keys' and values' parts.
struct Dims {
  batch: u32,
  heads: u32,
  context: u32,   // T
  head_size: u32, // D
  site: u32,      // which dropout of the model this is
  dropout: f32,
}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(4) var<storage, read> lse: array<f32>;   // (B, H, T)
@group(0) @binding(5) var<storage, read> delta: array<f32>; // (B, H, T), from the queries' kernel
//#body
