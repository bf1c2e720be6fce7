import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { whyTooOld } from "#src/deno_version.ts";
import { ROOT } from "../support/deno.ts";

test.each(["1.46.3", "2.5.6", "2.7.14"])("Deno %s is too old, in a line that says which one is needed", (version) => {
  expect(whyTooOld(version)).toMatch(
    new RegExp(`^Reverie needs Deno 2\\.8 or newer, and this is Deno ${version}: .+$`),
  );
});

test.each(["2.8.0", "2.9.6", "2.10.0", "3.0.0"])("Deno %s is new enough", (version) => {
  expect(whyTooOld(version)).toBeNull();
});

test("the pinned version is the same everywhere, and new enough", () => {
  const pinned = ["README.md", ".ci/run", "src/deno_version.ts"].map((path) => {
    const text = readFileSync(`${ROOT}${path}`, "utf8");
    const versions = new Set(
      [...text.matchAll(/deno@(\S+?) task|TESTED = "(.+)"/g)].map((match) => match[1] ?? match[2]),
    );
    versions.delete("${TESTED}");
    return [...versions];
  });
  expect(new Set(pinned.flat()).size).toBe(1);
  expect(pinned.every((versions) => versions.length === 1)).toBe(true);
  expect(whyTooOld(pinned[0][0])).toBeNull();
});

test.each(["src/main.ts", "scripts/setup.ts"])("%s loads nothing but the check before it checks", (path) => {
  const source = readFileSync(`${ROOT}${path}`, "utf8");
  const loaded = [...source.matchAll(/^import (?!type )[^;]*from "([^"]+)"/gm)].map((match) => match[1]);
  // Modules without imports of their own that every Deno 2 can load.
  const plain = ["./deno_version.ts", "../src/deno_version.ts", "./vulkan_driver.ts", "./data_folder.ts", "node:fs"];
  expect(loaded.filter((name) => !plain.includes(name))).toEqual([]);
});
