import { z } from "zod";

/** What names and keys that clients choose may be: they are shown in lists, logs, headers and terminals. */

/**
 * Control characters, line and paragraph separators, halves of surrogate pairs, and what turns the direction of the text
 * around it (https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters), so that a name reads as another.
 */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202A-\u202E\u2066-\u2069]/u;

export function hasHiddenCharacters(text: string): boolean {
  return HIDDEN.test(text);
}

/** A string of visible characters; checks that follow, such as `trim`, see it after this one. */
export function visibleText() {
  return z.string().refine((text) => !hasHiddenCharacters(text), "no control or direction characters, no line breaks");
}

/** As `z.record`, which drops a key named `__proto__` in silence: here it is refused. */
export function record<K extends z.core.$ZodRecordKey, V extends z.ZodType>(key: K, value: V, maxKeys: number) {
  const schema = z.record(key, value);
  type Input = z.input<typeof schema>;
  return z.preprocess<Input, typeof schema, Input>((input, context) => {
    if (typeof input !== "object" || input === null) return input;
    if (Object.hasOwn(input, "__proto__")) {
      context.addIssue({ code: "custom", path: ["__proto__"], message: "this name is reserved: choose another" });
    }
    if (Object.keys(input).length > maxKeys) {
      context.addIssue({ code: "custom", message: `at most ${maxKeys} of them` });
    }
    return input;
  }, schema);
}
