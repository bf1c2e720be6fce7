import { expect, test } from "bun:test";
import { withoutPaths } from "#src/errors.ts";

test.each([
  ['Module not found "file:///srv/app/src/x.ts".', 'Module not found "…".'],
  ["open /var/lib/data/x.txt: no such file", "open …: no such file"],
  ["3/4 of tokens/s, see https://example.org/a/b", "3/4 of tokens/s, see https://example.org/a/b"],
])("%s", (message, shown) => {
  expect(withoutPaths(message)).toBe(shown);
});
