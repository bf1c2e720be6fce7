import type { Random } from "../random.ts";

/** Named pieces of template, without the braces: `{"h": "Pip", "h.he": "he"}`. */
export type Slots = Record<string, string>;

/**
 * Writes text from templates: `[one|other]` is one of its alternatives, drawn anew each time, `{slot}` is the slot's
 * template, `{Slot}` the same with a capital. Both nest. A line that starts with spaces goes on with the line before.
 */
export class StoryTeller {
  constructor(readonly random: Random, readonly slots: Slots) {}

  tell(template: string): string {
    return this.#expand(template)
      .replace(/\n +/g, " ")
      .replace(/ {2,}/g, " ")
      .replace(/ ?\n\s*/g, "\n")
      .replace(/\b([Aa]) (?=[aeiou](?!ne\b|nce\b))/g, "$1n ") // "an apple", but "a one-eyed cat"
      .trim();
  }

  #expand(template: string): string {
    let text = "";
    let at = 0;
    while (at < template.length) {
      const open = template.slice(at).search(/[[{]/);
      if (open === -1) return text + template.slice(at);
      text += template.slice(at, at + open);
      at += open;
      if (template[at] === "{") {
        const end = template.indexOf("}", at);
        text += this.#slot(template.slice(at + 1, end));
        at = end + 1;
      } else {
        const { alternatives, end } = alternativesAt(template, at);
        text += this.#expand(pick(this.random, alternatives));
        at = end;
      }
    }
    return text;
  }

  #slot(name: string): string {
    const key = name[0].toLowerCase() + name.slice(1);
    if (!(key in this.slots)) throw new Error(`a template asks for {${key}}, which this story has not got`);
    const text = this.#expand(this.slots[key]);
    return key === name ? text : capitalise(text);
  }
}

export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)];
}

/** `count` different members of `from`, in random order. */
export function pickSeveral<T>(random: Random, from: readonly T[], count: number): T[] {
  const left = [...from];
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)[0]);
}

/** Splits `[a|b]` that opens at `open` at its own bars, not at those of brackets inside. */
function alternativesAt(template: string, open: number): { alternatives: string[]; end: number } {
  const alternatives: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let i = open; i < template.length; i++) {
    const character = template[i];
    if (character === "[") depth++;
    if (character === "]") depth--;
    if ((character === "|" && depth === 1) || depth === 0) {
      alternatives.push(template.slice(start, i).trim());
      start = i + 1;
    }
    if (depth === 0) return { alternatives, end: i + 1 };
  }
  throw new Error(`a bracket of a template is never closed: ${template.slice(open, open + 40)}`);
}
