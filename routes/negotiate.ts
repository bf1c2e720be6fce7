import type { Context } from "hono";
import { accepts } from "hono/accepts";

/**
 * Chooses the media type of an answer as RFC 9110 says: each of `types` has the q of the range in Accept that names it
 * most closely, and the highest q wins. Between equals, a type named in full goes before one that only a wildcard
 * covers, so that axios, which asks for JSON, plain text and then anything, gets JSON; after that the order of `types` decides.
 * The first of them is the answer to no Accept, and to one that nothing here satisfies: curl, told to accept
 * text/html, gets something to read rather than a 406.
 */
export function negotiate<const T extends string>(c: Context, types: readonly [T, ...T[]]): T {
  return accepts(c, {
    header: "Accept",
    supports: [...types],
    default: types[0],
    // Hono's own match gives `*/*` no type at all, and takes the client's order between equals.
    match: (ranges, { supports, default: fallback }) => {
      const rated = supports.map((type) => ({ type, ...closest(type, ranges) })).filter(({ q }) => q > 0);
      rated.sort((a, b) => b.q - a.q || b.precision - a.precision); // a stable sort: equals keep their order
      return rated[0]?.type ?? fallback;
    },
  }) as T;
}

/** How much of a media type a range says: 3 all of it, 2 `text/*`, 1 everything, 0 another type. */
function precisionOf(range: string, type: string): number {
  const asked = range.toLowerCase();
  if (asked === type) return 3;
  if (asked === `${type.slice(0, type.indexOf("/"))}/*`) return 2;
  return asked === "*/*" || asked === "*" ? 1 : 0; // Java's URLConnection sends `*; q=.2`
}

function closest(type: string, ranges: { type: string; q: number }[]): { q: number; precision: number } {
  let best = { q: 0, precision: 0 };
  for (const range of ranges) {
    const precision = precisionOf(range.type, type);
    if (precision > best.precision) best = { q: range.q, precision };
  }
  return best;
}
