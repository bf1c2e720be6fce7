import { expect, test } from "bun:test";
import {
  formatAge,
  formatBytes,
  formatCompact,
  formatCount,
  formatDuration,
  formatLoss,
  formatRate,
} from "#src/web/format.js";

test("counts and losses; a dash where there is none", () => {
  expect(formatCount(1234567)).toBe("1,234,567");
  expect(formatCompact(818_432)).toBe("818K");
  expect(formatLoss(1.88)).toBe("1.880");
  for (const format of [formatCount, formatCompact, formatLoss, formatRate, formatDuration, formatBytes]) {
    expect(format(null)).toBe("–");
  }
});

test("learning rates in powers of ten, as configurations write them", () => {
  expect([1e-3, 9.7e-4, 3.333e-4, 0, 1, 2.5].map(formatRate)).toEqual(["1e-3", "9.7e-4", "3.33e-4", "0", "1", "2.5"]);
});

test("durations in their two largest units", () => {
  expect(
    [0, 0.4, 45, 60, 200, 7500, 90_000, 86_400 + 60].map(formatDuration).map((text) => text.replaceAll("\u00a0", " ")),
  )
    .toEqual(["0 s", "0 s", "45 s", "1 min", "3 min 20 s", "2 h 5 min", "1 d 1 h", "1 d"]);
  expect(formatDuration(Infinity)).toBe("–");
});

test("ages: minutes and hours, then the date", () => {
  const now = Date.parse("2026-01-02T12:00:00Z");
  expect(formatAge("2026-01-02T11:59:30Z", now)).toBe("just now");
  expect(formatAge("2026-01-02T11:30:00Z", now)).toBe("30 min ago");
  expect(formatAge("2026-01-02T02:00:00Z", now)).toBe("10 h ago");
  expect(formatAge("2025-12-24T08:00:00Z", now)).toBe("2025-12-24");
});

test("sizes in binary units", () => {
  expect([0, 612, 2210, 3_273_728, 500 * 1024 ** 3].map(formatBytes)).toEqual([
    "0 B",
    "612 B",
    "2.2 KiB",
    "3.1 MiB",
    "500 GiB",
  ]);
});
