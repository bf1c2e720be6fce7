import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { SAMPLE, sampleStories, sampleText } from "../../src/data/sample_corpus.ts";

const stories = [...sampleStories()];
const text = stories.join("");
/** All but the titles, and the songs, whose lines end as verses do. */
const paragraphs = stories.filter((story) => !story.includes("A Song for"))
  .flatMap((story) => story.trim().split("\n").slice(1));

describe("the sample corpus", () => {
  test("is the same bytes everywhere, at least 1 MB", async () => {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of sampleText()) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    expect(bytes).toBe(text.length);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(hash.digest("hex")).toBe(SAMPLE.sha256);
  });

  test("is as many different stories as it says, apart by empty lines", () => {
    const apart = text.trim().split("\n\n");
    expect(apart).toHaveLength(SAMPLE.documents);
    expect(new Set(apart).size).toBe(SAMPLE.documents);
    expect(text).not.toContain("\n\n\n");
    expect(text.endsWith(".\n")).toBe(true);
  });

  test("is plain characters, with nothing left of the templates", () => {
    expect(text).toMatch(/^[A-Za-z0-9 .,;:!?'"\n-]+$/);
    expect(text).not.toMatch(/ {2}| \n|\n | [.,;:!?]|undefined/);
  });

  test("keeps to the rules of writing", () => {
    for (const paragraph of paragraphs) {
      expect(paragraph).toMatch(/^"?[A-Z]/);
      expect(paragraph).toMatch(/[.!?]"?$/);
      expect(paragraph.split('"').length % 2).toBe(1); // quotation marks come in pairs
      expect(paragraph).not.toMatch(/[.!?] [a-z]|[.,!?]{2}|[a-z]"[A-Za-z]|\w "(?= |$)/);
      expect(paragraph).not.toMatch(/\ba [aeiou](?!ne\b|nce\b)|\ban [^aeiouh]/i);
    }
  });

  test("tells every kind of story in its held-out tail too", () => {
    const kinds = (from: number, to: number) =>
      new Set(
        stories.slice(from, to).map((story) => story.trim().split(/\s+/).slice(0, 2).join(" ")).filter((start) =>
          start.startsWith("The ")
        ),
      );
    expect(kinds(Math.floor(0.9 * stories.length), stories.length)).toEqual(kinds(0, stories.length));
  });

  test("lets each character be told of often", () => {
    const names =
      "Pip Juniper Bram Mira Otto Tilly Hazel Tom Nettie Rufus Clover Gus Ivy Basil Luna Moss Quill Sam Velvet Zeb Ella Finn Oona Dora";
    for (const name of names.split(" ")) {
      expect(text.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0).toBeGreaterThan(300);
    }
  });
});
