import { monotonicFactory } from "ulid";

/** Increasing within the process even inside one millisecond. */
const nextUlid = monotonicFactory();

export type IdPrefix = "ds" | "run" | "ckpt" | "hook" | "whe" | "msg";

/** A new id: sorts, as a string, after every id this process made before. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${nextUlid().toLowerCase()}`;
}

/** A regular expression's text for ids: Crockford's base 32 as `newId` writes it. */
export function idPattern(prefix: IdPrefix): string {
  return `${prefix}_[0-9a-hjkmnp-tv-z]{26}`;
}

export function isId(prefix: IdPrefix, text: string): boolean {
  return new RegExp(`^${idPattern(prefix)}$`).test(text);
}

export function now(): string {
  return new Date().toISOString();
}
