// @ts-check

/** Numbers and times as people read them; a dash where there is none. Pure. */

const NONE = "–";
const integer = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** @param {number | null | undefined} value */
export const formatCount = (value) => value == null ? NONE : integer.format(value);

/** 818,432 → "818K". @param {number | null | undefined} value */
export const formatCompact = (value) => value == null ? NONE : compact.format(value);

/** 1 → "1 layer", 2 → "2 layers". @param {number} count @param {string} noun */
export const formatNumberOf = (count, noun) => `${integer.format(count)} ${noun}${count === 1 ? "" : "s"}`;

/**
 * A loss in nats: three decimals, as papers print it. That of a run that went astray is as short: 2,766,330 → "2.77M".
 * @param {number | null | undefined} value
 */
export const formatLoss = (value) =>
  value == null ? NONE : Math.abs(value) < 1000 ? value.toFixed(3) : formatTick(value);

/** A number on an axis, as short as it can be: 0.5, 12, 2.5K, 2.77M, 3e20. @param {number} value */
export const formatTick = (value) =>
  Math.abs(value) < 1e15 ? compact.format(value) : trimExponent(value.toExponential(2));

/** 0.001 → "1e-3"; 0.00097 → "9.7e-4". @param {number | null | undefined} value */
export const formatRate = (value) => value == null ? NONE : value === 0 ? "0" : trimExponent(value.toExponential(2));

/** @param {string} text */
const trimExponent = (text) => text.replace(/\.?0+e/, "e").replace("e+0", "").replace("e+", "e");

/**
 * The two largest units: "45 s", "3 min 20 s", "2 h 5 min".
 * @param {number | null | undefined} seconds
 */
export function formatDuration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return NONE;
  const total = Math.max(0, Math.round(seconds));
  const units = /** @type {const} */ ([["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]]);
  const first = units.findIndex(([, size]) => total >= size);
  if (first === -1) return "0\u00a0s";
  let rest = total;
  return units.slice(first, first + 2).map(([unit, size]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n === 0 ? "" : `${n}\u00a0${unit}`; // no line ends between a number and its unit
  }).filter((part) => part !== "").join(" ");
}

/**
 * "just now", "4 min ago", "3 h ago", then the date.
 * @param {string} iso
 * @param {number} now ms since 1970
 */
export function formatAge(iso, now) {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return iso.slice(0, 10);
}

/** Binary units: 3,275,008 → "3.1 MiB". @param {number | null | undefined} bytes */
export function formatBytes(bytes) {
  if (bytes == null) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
