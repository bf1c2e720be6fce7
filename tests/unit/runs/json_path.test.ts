import { expect, test } from "bun:test";
import { isJsonPath, isTargetPath, readPath, withValueAt } from "#src/runs/json_path.ts";

test("paths read members and indices of their own only", () => {
  const document = { a: { b: [{ c: 1 }, 2] }, "x-y": null };
  expect(readPath(document, "$")).toBe(document);
  expect(readPath(document, "$.a.b[0].c")).toBe(1);
  expect(readPath(document, "$.a.b[1]")).toBe(2);
  expect(readPath(document, "$.x-y")).toBe(null);
  for (const missing of ["$.a.b[2]", "$.a[0]", "$.x-y.z", "$.a.constructor", "$.a.b.length[0]"]) {
    expect(readPath(document, missing)).toBeUndefined();
  }
});

test("only simple paths are paths", () => {
  for (const path of ["$", "$.a", "$.a[0].b-c"]) expect(isJsonPath(path)).toBe(true);
  for (const path of ["a", "$.", "$..a", "$.a[*]", "$.a[-1]", "$['a']"]) expect(isJsonPath(path)).toBe(false);
  for (const path of ["dataset", "optimizer.learning_rate"]) expect(isTargetPath(path)).toBe(true);
  for (const path of ["", "a..b", "__proto__.x", "a.constructor", "$.a"]) expect(isTargetPath(path)).toBe(false);
});

test("values are put in without changing the original", () => {
  const body = { optimizer: { kind: "sgd" }, name: "x" };
  expect(withValueAt(body, "optimizer.learning_rate", 1)).toEqual({
    optimizer: { kind: "sgd", learning_rate: 1 },
    name: "x",
  });
  expect(withValueAt(body, "name.first", 1)).toEqual({ optimizer: { kind: "sgd" }, name: { first: 1 } });
  expect(body).toEqual({ optimizer: { kind: "sgd" }, name: "x" });
});
