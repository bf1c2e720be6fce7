import { describe, expect, test } from "bun:test";
import { isWanted, parseOptions } from "../../bench/options.ts";

describe("parseOptions", () => {
  test("defaults: S and M, whoever is found", () => {
    expect(parseOptions([])).toEqual({
      workloads: ["S", "M"],
      rounds: 7,
      peers: null,
      kernels: false,
      profile: false,
      streams: false,
      calls: false,
      tuning: true,
      json: null,
      markdown: null,
    });
  });

  test("everything said", () => {
    const args =
      "L --rounds 0 --peers jax-js,pytorch-cpu --kernels --profile --streams --calls --no-tuning --json a.json --markdown a.md"
        .split(" ");
    expect(parseOptions(args)).toEqual({
      workloads: ["L"],
      rounds: 0,
      peers: ["jax-js", "pytorch-cpu"],
      kernels: true,
      profile: true,
      streams: true,
      calls: true,
      tuning: false,
      json: "a.json",
      markdown: "a.md",
    });
  });

  test.each([["XL"], ["toString"], ["--rounds=-1"], ["--rounds=two"], ["--round=2"], ["--no-peers --peers=all"]])(
    "%s is refused",
    (args) => expect(() => parseOptions(args.split(" "))).toThrow(),
  );
});

test("peers are wanted by how their names begin", () => {
  expect(isWanted("pytorch-cpu-fp32", ["pytorch"])).toBe(true);
  expect(isWanted("jax-js-wasm", ["pytorch", "jax-js-webgpu"])).toBe(false);
  expect(isWanted("llm.c", ["all"])).toBe(true);
  expect(isWanted("llm.c", null)).toBe(true);
  expect(isWanted("llm.c", parseOptions(["--no-peers"]).peers)).toBe(false);
});
