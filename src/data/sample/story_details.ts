import { CHARACTERS } from "./story_world.ts";

/** Small things, drawn anew at each mention: they keep the stories from being alike, and a model from knowing them by heart. */
export const DETAILS = {
  noun:
    `[lantern|kettle|ladder|button|spoon|bell|basket|drum|mirror|candle|saddle|pillow|trumpet|barrel|curtain|ribbon|compass
    |bucket|hammer|needle|saucepan|cushion|feather|wheel|bottle|blanket|violin|teapot|cradle|anchor|lemon|turnip|cabbage|pumpkin
    |pebble|shell|boot|glove|mitten|cap|wheelbarrow|birdcage|broom|jar|sack|rope|stool|flute|map|penny|coat|gate]`,
  look:
    `[small|tiny|large|long|round|crooked|dusty|shiny|heavy|broken|old|new|wet|cold|warm|soft|rusty|striped|empty|borrowed
    |strange|handsome|plain|noisy|faded|forgotten]`,
  colour: "[red|blue|green|yellow|white|black|brown|grey|purple|orange|silver|golden|pink]",
  oddment: "a [{look} {noun}|{colour} {noun}|{look} {colour} {noun}|{noun}|{look} {container} of {stuff}]",
  container: "[jar|basket|sack|bucket|box|bag|barrel]",
  stuff:
    `[buttons|acorns|nails|wool|soap|onions|radishes|cherries|beans|candles|feathers|corks|letters|walnuts|shells|ribbons
    |peas|pins|marbles|string|tea|spoons|pepper]`,
  several: "[two|three|four|five|six|seven|nine|ten|a dozen|twenty]",
  price: "{several} [coppers|eggs|buttons|apples|songs|kisses|radishes|candle ends|good jokes]",
  creature: `[beetle|snail|moth|heron|cricket|lizard|bat|calf|piglet|pony|starling|robin|bumblebee|dragonfly|hare|kid
    |pigeon|kitten|puppy|weasel|magpie|frog|lamb|ladybird|spider]`,
  where:
    `[by the mill pond|in the apple orchard|on Willow Hill|under the stone bridge|in the pine wood|in the market square|on
    the long beach|beside the old well|in the barley field|at the crossroads|behind the church|on the roof of the inn|in the
    blacksmith's yard|by the ferry|in the school|in the long grass|at the end of Cobble Lane]`,
  when: `[on Monday|on Tuesday|on Wednesday|on Thursday|on Friday|on Saturday|on Sunday|last night|this morning|before
    breakfast|at noon|after supper|at midnight|in the middle of the night|the day before]`,
  deed:
    `[lost|found|bought|sold|dropped|painted|mended|dug up|borrowed|sat on|tripped over|polished|wrapped up|hung up|buried
    |left]`,
  "one.day":
    "[On Saturday|One {season.kind} {season} day|One {season} morning|At the end of the week|Early one day|Last week]",
  "feeling.way": "[sadly|gladly|slowly|carefully|cheerfully|quickly|politely|gravely]",
  feeling: "[happy|tired|cross|puzzled|proud|hungry|sleepy|worried|pleased|cold|excited|lonely|surprised|calm]",
  gossip: "{someone} had {deed} {oddment} {where} {when}",
  sight:
    `[{A.creature} sat on {oddment} and did not move|{Someone} went by with {oddment}|Somebody had left {oddment} {where}
    |{A.creature} was asleep in a {colour} [hat|boot|basket|wheelbarrow|flowerpot]|{Several} {creature.many} stood around {oddment} and looked
    at it|{Someone} was {work} and waved|{Someone} was looking for {oddment}, which lay right there in the grass|{Someone} and
    {a.creature} were looking at each other]`,
  "a.creature":
    "a [[small|tiny|fat|thin|old|young|wet|sleepy|handsome|very small] {creature}|{colour} {creature}|{creature}]",
  "creature.many": "[crows|geese|sheep|goats|hens|sparrows|children|ants|ducklings|cows|cats|bees]",
} as const;

/** Details drawn once for a story and kept; "a thing" is also there as `.the`, "the thing". */
export const KEPT: Record<string, string> = {
  first: "{oddment}",
  second: "{oddment}",
  third: "{oddment}",
  animal: "{creature}",
  neighbour: "{someone}",
  did: "{deed}",
  spot: "{where}",
};

/** Anybody of the valley but those with a part in the story. */
export function someoneBut(cast: readonly string[]): string {
  const others = CHARACTERS.filter(({ name }) => !cast.includes(name));
  return `[${others.map(({ name, kind }) => `${name} the ${kind}`).join("|")}]`;
}
