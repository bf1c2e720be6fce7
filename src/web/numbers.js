// @ts-check

/** Numbers as people type them. Pure. */

/** @param {string} language of the reader, a BCP 47 tag @returns {string} "," or "." */
export function decimalSign(language) {
  const parts = new Intl.NumberFormat(language).formatToParts(1.5);
  return parts.find(({ type }) => type === "decimal")?.value === "," ? "," : ".";
}

/** Spaces (thin and no-break ones too), apostrophes and underscores group digits in some countries, and mean nothing else. */
const GROUPING = /(?<=\d)[\s'’_](?=\d)/g;
/** One to three digits, then groups of three: 1,000 and 12.345.678. */
const GROUPED = /^[+-]?[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*$/;

/**
 * Reads a number: 3e-3, 0.003, "0,003", "1 000", "1.000,5". A single sign that could group thousands or begin decimals
 * is taken as the reader's language has it.
 * @param {string} typed
 * @param {string} decimal the sign that begins decimals in the reader's language
 * @returns {number} NaN if it is none
 */
export function parseNumber(typed, decimal) {
  const text = typed.trim().replace(/^[−–]/, "-").replace(/e[−–]/i, "e-").replaceAll(GROUPING, "");
  const grouped = GROUPED.exec(text);
  // "1.000.000" groups whatever the language; "1.000" does so only if its readers write decimals with a comma.
  if (grouped !== null && (grouped[1] !== decimal || text.split(grouped[1]).length > 2)) {
    return Number(text.replaceAll(grouped[1], ""));
  }
  const [comma, dot] = [text.lastIndexOf(","), text.lastIndexOf(".")];
  if (comma === -1) return text === "" ? NaN : plain(text);
  // The last of two signs begins the decimals, and the other one groups.
  if (dot > comma) return plain(text.replaceAll(",", ""));
  return plain(text.replaceAll(".", "").replace(",", "."));
}

/** `Number` alone reads "0x10", "Infinity" and "" too. @param {string} text */
const plain = (text) => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;

/**
 * Reads a field of the form, or says in words why it cannot be read.
 * @param {string} typed
 * @param {{ whole: boolean, decimal: string }} expected
 * @returns {{ value: number } | { message: string }}
 */
export function readNumber(typed, { whole, decimal }) {
  const example = whole ? "2" : `${(0.003).toString().replace(".", decimal)} or 3e-3`;
  if (typed.trim() === "") return { message: `Enter a number, such as ${example}.` };
  const value = parseNumber(typed, decimal);
  if (Number.isNaN(value)) return { message: `“${typed.trim()}” is not a number. Enter one such as ${example}.` };
  if (whole && !Number.isInteger(value)) {
    return { message: `Enter a whole number, such as ${Math.max(1, Math.round(value))}.` };
  }
  return { value };
}
