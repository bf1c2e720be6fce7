import { expect, test } from "bun:test";
import { consoleTable, digits, markdownTable, percent } from "../../bench/tables.ts";

const TABLE = { columns: ["kernel", "ms"], rows: [["a|b", "1.5"], ["matmul_nn", "12"]] };

test("on a console names stand to the left and numbers to the right", () => {
  expect(consoleTable(TABLE).split("\n")).toEqual([
    "  kernel      ms",
    "  a|b        1.5",
    "  matmul_nn   12",
  ]);
});

test("in Markdown a bar in a cell does not end it", () => {
  expect(markdownTable(TABLE).split("\n")).toEqual([
    "| kernel | ms |",
    "| --- | ---: |",
    "| a\\|b | 1.5 |",
    "| matmul_nn | 12 |",
  ]);
});

test.each([[1234.56, "1235"], [56.78, "56.8"], [5.678, "5.68"], [0.12345, "0.123"], [NaN, "–"], [Infinity, "–"]])(
  "%p has three digits: %p",
  (value, text) => expect(digits(value)).toBe(text),
);

test.each([[0.5, "50 %"], [0.0123, "1.2 %"], [null, "–"], [NaN, "–"]])(
  "the share %p is %p",
  (share, text) => expect(percent(share)).toBe(text),
);
