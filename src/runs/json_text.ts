import { BadRequestError } from "../errors.ts";

/** As deep as a client's JSON may nest: `JSON.stringify` and a schema's walk overflow the stack at some thousands. */
const MAX_DEPTH = 64;

/** @throws {BadRequestError} without quoting the input, which may hold a secret */
export function decodeUtf8(bytes: Uint8Array | ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new BadRequestError("the body is not UTF-8");
    throw error;
  }
}

/** @throws {BadRequestError} without quoting the input, which may hold a secret */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // A RangeError is JavaScriptCore's: its parser recurses, V8's does not.
    if (error instanceof SyntaxError || error instanceof RangeError) throw new BadRequestError("the body is not JSON");
    throw error;
  }
}

/** Says why a JSON value cannot be stored and sent on as it is; null if it can. */
export function whyNotStorable(root: unknown): string | null {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    const fault = whyNotScalar(value);
    if (fault !== null) return fault;
    if (typeof value !== "object" || value === null) continue;
    if (depth > MAX_DEPTH) return `nests deeper than ${MAX_DEPTH} levels`;
    for (const [key, member] of Object.entries(value)) {
      const fault = whyNotScalar(key);
      if (fault !== null) return fault;
      open.push({ value: member, depth: depth + 1 });
    }
  }
  return null;
}

function whyNotScalar(value: unknown): string | null {
  if (typeof value === "number" && !Number.isFinite(value)) return "holds a number too large for a double";
  if (typeof value !== "string") return null;
  if (value.includes("\0")) return "holds a NUL character";
  return value.isWellFormed() ? null : "holds a lone surrogate";
}
