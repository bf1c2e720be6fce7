import { expect, test } from "bun:test";
import * as kernels from "#kernels/matmul.ts";

const CARD = { software: false, subgroupSize: null };
const dims = (m: number, n: number, k: number) => ({ m, n, k, site: 0, dropout: 0 });

test.each([
  ["a layer of GPT-2 over many rows", dims(8192, 3072, 768), "128×128 in slabs"],
  ["its gradient", dims(768, 3072, 8192), "64×64 in slabs"],
  ["a small layer", dims(768, 128, 128), "32×32 in slabs"],
  ["the next token's logits", dims(1, 50257, 768), "32×32 in slabs"],
  ["a short sum", dims(768, 128, 48), "4×4 by 8×8"],
])("a card's tiling of %s", (_, size, name) => {
  expect(kernels.matmulTN.choose(size, CARD).name).toBe(name);
});

test("cards' tilings keep to what every device has", () => {
  const found = Object.values(kernels).flatMap((kernel) =>
    typeof kernel === "object" && "variants" in kernel
      ? kernel.variants.filter(({ name }) => name.includes("slabs")).map(({ body }) => body!(dims(64, 64, 64)))
      : []
  );
  expect(found.length).toBe(27);
  for (const wgsl of found) {
    const [, places, rows] = wgsl.match(/var<workgroup> slab: array<array<array<vec4<f32>, (\d+)>, (\d+)>, 2>;/)!;
    expect(2 * Number(rows) * Number(places) * 16).toBeLessThanOrEqual(16 * 1024);
    expect(wgsl.match(/var<workgroup>/g)!.length).toBe(1);
    expect(Number(wgsl.match(/@workgroup_size\((\d+)\)/)![1])).toBeLessThanOrEqual(256);
  }
});
