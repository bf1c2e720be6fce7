import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SecretBox } from "#src/runs/secret_box.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "reverie-key-"));
  path = join(folder, "secret.key");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mode = () => statSync(path).mode & 0o777;

test("a box opens with the key that sealed it, and no other", () => {
  const sealed = new SecretBox("one passphrase or another").seal("whsec_abc");
  expect(new SecretBox("one passphrase or another").open(sealed)).toBe("whsec_abc");
  expect(() => new SecretBox("another passphrase").open(sealed)).toThrow();
  expect(sealed).not.toContain("whsec_abc");
});

test("the key file is made once, whole, for its owner alone", () => {
  const sealed = SecretBox.fromKeyFile(path).seal("a secret");
  expect(mode()).toBe(0o600);
  expect(Buffer.from(readFileSync(path, "utf8"), "base64")).toHaveLength(32);
  expect(readdirSync(folder)).toEqual(["secret.key"]);
  expect(SecretBox.fromKeyFile(path).open(sealed)).toBe("a secret");
});

test("a key file that others may read is closed to them", () => {
  const sealed = SecretBox.fromKeyFile(path).seal("a secret");
  chmodSync(path, 0o644);
  expect(SecretBox.fromKeyFile(path).open(sealed)).toBe("a secret");
  expect(mode()).toBe(0o600);
});

test("a file that holds no key is not taken for one", () => {
  writeFileSync(path, "");
  expect(() => SecretBox.fromKeyFile(path)).toThrow("holds no key");
});
