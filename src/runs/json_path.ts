/** `$.a.b[0]`: members and indices, no wildcards. */
const PATH = /^\$(?:\.[A-Za-z_][\w-]*|\[\d{1,9}\])*$/;
/** `a.b`: where a value goes. */
const TARGET = /^[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*){0,7}$/;

export function isJsonPath(text: string): boolean {
  return PATH.test(text);
}

export function isTargetPath(text: string): boolean {
  return TARGET.test(text) && !text.split(".").some((key) => key in Object.prototype);
}

/** The value at a path that `isJsonPath`, undefined where the document has none. */
export function readPath(document: unknown, path: string): unknown {
  let value = document;
  for (const [, name, index] of path.matchAll(/\.([A-Za-z_][\w-]*)|\[(\d+)\]/g)) {
    if (typeof value !== "object" || value === null) return undefined;
    if (index !== undefined && !Array.isArray(value)) return undefined;
    const key = name ?? index;
    if (!Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** A copy of `object` with `value` at a path that `isTargetPath`; what stands in the way is replaced by an object. */
export function withValueAt(object: Record<string, unknown>, path: string, value: unknown): Record<string, unknown> {
  const [key, ...rest] = path.split(".");
  if (rest.length === 0) return { ...object, [key]: value };
  const inner = object[key];
  const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
  return { ...object, [key]: withValueAt(isObject ? inner as Record<string, unknown> : {}, rest.join("."), value) };
}
