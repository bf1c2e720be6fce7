import { Random } from "./random.ts";
import { PLOTS_OF_EVERY_DAY } from "./sample/plots_of_every_day.ts";
import { PLOTS_OF_KINDNESS } from "./sample/plots_of_kindness.ts";
import { PLOTS_OF_WONDER } from "./sample/plots_of_wonder.ts";
import { DETAILS, KEPT, someoneBut } from "./sample/story_details.ts";
import { FACETS, PHRASES, type Plot } from "./sample/story_phrases.ts";
import { capitalise, pick, pickSeveral, type Slots, StoryTeller } from "./sample/story_teller.ts";
import { type Character, CHARACTERS, FOODS, PLACES, type Season, SEASONS, THINGS } from "./sample/story_world.ts";

/**
 * The `sample` dataset: short stories of one valley and its 24 inhabitants, told by this project from its own
 * templates, the same bytes on every machine. A title line, a line for each paragraph, an empty line between stories.
 */
export const SAMPLE = {
  name: "sample",
  /** Stories. (A `text/plain` upload is one document, whatever it holds.) */
  documents: 912,
  sha256: "1037c1ce70fdf7fc072515b047a3c63b9687c7ed23830a981438318c40094dc3",
} as const;

const SEED = 20_260_101;
const MINIMUM_BYTES = 1_200_000;

const EVERY_DAY = [...PLOTS_OF_EVERY_DAY, ...PLOTS_OF_EVERY_DAY, ...PLOTS_OF_EVERY_DAY];
/** One round: the days on which little happens come three times, for they differ most. */
const PLOTS: readonly Plot[] = [...PLOTS_OF_KINDNESS, ...PLOTS_OF_WONDER, ...EVERY_DAY];
const WALKERS = CHARACTERS.filter((character) => character.hands !== "wings");

/** The sample text in UTF-8, a story at a time: what `storeText` takes. */
export async function* sampleText(): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const story of sampleStories()) yield encoder.encode(story);
}

/** The sample's stories in order, each with the line ends that follow it; no two are the same. */
export function* sampleStories(): Generator<string> {
  const told = new Set<string>();
  let upcoming: Plot[] = [];
  for (let bytes = 0, number = 0; bytes < MINIMUM_BYTES; number++) {
    const random = new Random(SEED, number);
    // Every plot in turn, in a new order each round: the held-out tail has them all, as often as the rest has.
    if (upcoming.length === 0) upcoming = pickSeveral(random, PLOTS, PLOTS.length);
    const story = tellStory(upcoming.pop()!, random);
    if (told.has(story)) continue;
    told.add(story);
    const text = `${told.size === 1 ? "" : "\n"}${story}\n`;
    bytes += text.length; // the stories are ASCII
    yield text;
  }
}

function tellStory(plot: Plot, random: Random): string {
  const [hero, friend, third] = pickSeveral(random, plot.onFoot ? WALKERS : CHARACTERS, 3);
  const season = plot.season ?? pick(random, Object.keys(SEASONS) as Season[]);
  const thing = pick(random, THINGS);
  const facets = Object.entries(FACETS).flatMap(([group, members]) =>
    Object.entries(pick(random, members)).map(([part, text]) => [slotName(group, part), text])
  );
  const slots: Slots = {
    ...DETAILS,
    ...PHRASES,
    someone: someoneBut([hero.name, friend.name, third.name]),
    ...Object.fromEntries(facets),
    ...characterSlots("h", hero),
    ...characterSlots("f", friend),
    ...characterSlots("g", third),
    ...inSlots("place", pick(random, PLACES)),
    ...inSlots("food", pick(random, FOODS)),
    ...inSlots("thing", { ...thing, title: thing.name.split(" ").map(capitalise).join(" ") }),
    ...inSlots("season", { name: season, ...SEASONS[season] }),
  };
  const teller = new StoryTeller(random, slots);
  for (const [slot, template] of Object.entries(KEPT)) {
    slots[slot] = teller.tell(template);
    slots[`${slot}.the`] = slots[slot].replace(/^an? /, "the ");
  }
  return teller.tell(plot.text);
}

function characterSlots(role: string, { name, pronoun, ...rest }: Character): Slots {
  const [he, him, his] = pronoun === "he" ? ["he", "him", "his"] : ["she", "her", "her"];
  return { ...inSlots(role, { ...rest, he, him, his, himself: `${him}self` }), [role]: name };
}

/** `{name, ...}` as `group`, `group.…`. */
function inSlots(group: string, parts: Record<string, string>): Slots {
  return Object.fromEntries(Object.entries(parts).map(([part, text]) => [slotName(group, part), text]));
}

function slotName(group: string, part: string): string {
  return part === "name" ? group : `${group}.${part}`;
}
