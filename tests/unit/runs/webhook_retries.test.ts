import { expect, test } from "bun:test";
import { parseRetryAfter, RETRY_DELAYS_MS, retryDelayMs } from "#src/runs/webhook_retries.ts";

const HOUR_MS = 3_600_000;

test("the waits grow, and are three days together", () => {
  expect(RETRY_DELAYS_MS.toSorted((a, b) => a - b)).toEqual([...RETRY_DELAYS_MS]);
  const hours = RETRY_DELAYS_MS.reduce((sum, ms) => sum + ms, 0) / HOUR_MS;
  expect(hours).toBeGreaterThan(71);
  expect(hours).toBeLessThan(73);
});

test("a wait is up to a fifth shorter or longer, and there is an end", () => {
  expect(retryDelayMs(1, 0)).toBe(4000);
  expect(retryDelayMs(1, 0.5)).toBe(5000);
  expect(retryDelayMs(1, 1)).toBe(6000);
  expect(retryDelayMs(RETRY_DELAYS_MS.length, 0.5)).toBe(8 * HOUR_MS);
  expect(retryDelayMs(RETRY_DELAYS_MS.length + 1, 0.5)).toBeNull();
});

test("Retry-After makes a wait longer, never shorter, and not longer than the longest", () => {
  expect(retryDelayMs(1, 0.5, 60_000)).toBe(60_000);
  expect(retryDelayMs(6, 0.5, 60_000)).toBe(HOUR_MS);
  expect(retryDelayMs(1, 0.5, 1000 * HOUR_MS)).toBe(8 * HOUR_MS);
  expect(retryDelayMs(RETRY_DELAYS_MS.length + 1, 0.5, 60_000)).toBeNull();
});

test("Retry-After is seconds or a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(parseRetryAfter("120", now)).toBe(120_000);
  expect(parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now)).toBe(60_000);
  expect(parseRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
  expect(parseRetryAfter("soon", now)).toBeNull();
  expect(parseRetryAfter(undefined, now)).toBeNull();
});
