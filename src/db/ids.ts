import { monotonicFactory } from "ulid";

/** Increasing within the process even inside one millisecond. */
const nextUlid = monotonicFactory();

export type IdPrefix = "ds" | "run" | "ckpt" | "hook" | "whe" | "msg";

/** A new id: sorts, as a string, after every id this process made before. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${nextUlid().toLowerCase()}`;
}

/** Crockford's base 32 as `newId` writes it. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}_`) && /^[0-9a-hjkmnp-tv-z]{26}$/.test(text.slice(prefix.length + 1));
}

export function now(): string {
  return new Date().toISOString();
}
