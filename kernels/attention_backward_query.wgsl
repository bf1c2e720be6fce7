// dq: probabilities come again from the log-sum-exp. And delta, the sum over D of dy * y for each row of each head: what
// the softmax's backward subtracts. qkv: (B·T, 3·H·D), y and dy: (B·T, H·D), dqkv: (B·T, 3·H·D), the queries' part.
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
@group(0) @binding(5) var<storage, read> lse: array<f32>;         // (B, H, T)
@group(0) @binding(6) var<storage, read_write> delta: array<f32>; // (B, H, T)
//#body
