/** Who and what the sample corpus tells of. Each has its own fixed facts, so that a model can learn them. */

export interface Character {
  name: string;
  kind: string;
  pronoun: "he" | "she";
  trait: string;
  home: string;
  /** What the character always did; past tense. */
  habit: string;
  /** What it holds things with. */
  hands: "hands" | "paws" | "wings" | "hooves";
}

const character = (line: string): Character => {
  const [name, kind, pronoun, trait, hands, home, habit] = line.split("; ");
  return { name, kind, pronoun, trait, hands, home, habit } as Character;
};

export const CHARACTERS: readonly Character[] = [
  "Pip; mouse; he; brave; paws; in a cracked teapot behind the mill; saved crumbs for a rainy day",
  "Juniper; fox; she; clever; paws; under the roots of the old oak; knew every path in the wood",
  "Bram; baker; he; cheerful; hands; above the bakery on Cobble Lane; sang to the dough while it rose",
  "Mira; weaver; she; patient; hands; in the last house on the lane; could tell wool from flax in the dark",
  "Otto; otter; he; playful; paws; in a burrow by the river; slid down every bank he came to",
  "Tilly; wren; she; busy; wings; in the ivy on the church wall; had something to say about everything",
  "Hazel; hedgehog; she; shy; paws; beneath a pile of leaves in the orchard; rolled up when anybody shouted",
  "Tom; shepherd; he; quiet; hands; in a stone hut on the hill; gave each of his sheep a name",
  "Nettie; beekeeper; she; wise; hands; in a yellow cottage full of clocks; told her bees all the news",
  "Rufus; dog; he; loyal; paws; in the yard of the inn; guarded the gate even when it was open",
  "Clover; rabbit; she; quick; paws; in a warren under the hawthorn hedge; could hear a dandelion open",
  "Gus; goose; he; proud; wings; on the village green; walked as if a band were playing behind him",
  "Ivy; cat; she; curious; paws; on the windowsill of the toy shop; looked into every box she saw",
  "Basil; badger; he; stubborn; paws; in a tidy sett under the hill; never went to bed with a dirty cup in the house",
  "Luna; owl; she; thoughtful; wings; in the bell tower; read the stars as others read the newspaper",
  "Moss; toad; he; calm; hands; under a flowerpot in the garden; took three breaths before he answered",
  "Quill; crow; he; sly; wings; at the top of the tallest pine; kept a box of shiny things",
  "Sam; squirrel; he; forgetful; paws; in a hollow beech tree; buried more nuts than he ever found",
  "Velvet; mole; she; gentle; paws; in a long tunnel below the meadow; knew the world by its smells",
  "Zeb; donkey; he; slow; hooves; in the stable beside the forge; thought about things while he chewed",
  "Ella; miller; she; strong; hands; in the windmill above the village; could carry a sack under each arm",
  "Finn; fisher; he; hopeful; hands; in a blue hut on the shore; always took two buckets, just in case",
  "Oona; tinker; she; restless; hands; in a green wagon with red wheels; could mend anything but her own kettle",
  "Dora; duck; she; kind; wings; among the reeds of the mill pond; counted her ducklings twice",
].map(character);

/** at: where one is, to: where one goes. */
export const PLACES = [
  { at: "by the mill pond", to: "to the mill pond", name: "the mill pond" },
  { at: "in the apple orchard", to: "to the apple orchard", name: "the apple orchard" },
  { at: "on Willow Hill", to: "up Willow Hill", name: "Willow Hill" },
  { at: "under the stone bridge", to: "down to the stone bridge", name: "the stone bridge" },
  { at: "at the edge of the pine wood", to: "to the edge of the pine wood", name: "the pine wood" },
  { at: "in the market square", to: "to the market square", name: "the market square" },
  { at: "on the long beach", to: "down to the long beach", name: "the long beach" },
  { at: "beside the old well", to: "to the old well", name: "the old well" },
  { at: "in the barley field", to: "across the barley field", name: "the barley field" },
  { at: "at the crossroads", to: "to the crossroads", name: "the crossroads" },
] as const;

/** why: how the hero {h} came by it, a sentence. */
export const THINGS = [
  { name: "brass key", why: "It opened a music box that had belonged to {h.his} grandmother" },
  { name: "red button", why: "It had come off the coat of a sailor who had been twice around the world" },
  { name: "wooden whistle", why: "{H.his} father had carved it from a branch of the cherry tree" },
  { name: "silver thimble", why: "On hot days {h.he} drank from it, and then the water tasted of moonlight" },
  { name: "blue scarf", why: "It was so long that it could go around a neck three times and still touch the ground" },
  { name: "little clock", why: "It was always four minutes late, but it had a friendly tick" },
  { name: "paper kite", why: "{H.he} had made it from an old map, so it always seemed to know the way" },
  { name: "copper bell", why: "When it rang, even the geese stopped to listen" },
  { name: "painted cup", why: "It had a chip in the rim, just where {h.he} liked to drink" },
  { name: "glass marble", why: "If {h.he} held it to the light, there was a tiny green storm inside" },
  { name: "walnut boat", why: "It had crossed the mill pond eleven times and had sunk only twice" },
  { name: "straw hat", why: "A bird had once laid an egg in it, and {h.he} had been proud ever since" },
] as const;

/** name: as one counts it; stuff: as there can be enough of it. */
export const FOODS = [
  { name: "loaf of brown bread", stuff: "bread" },
  { name: "jar of clover honey", stuff: "honey" },
  { name: "pot of bean soup", stuff: "soup" },
  { name: "round white cheese", stuff: "cheese" },
  { name: "basket of yellow pears", stuff: "fruit" },
  { name: "plum cake", stuff: "cake" },
  { name: "bag of roasted chestnuts", stuff: "chestnuts" },
  { name: "blackberry pie", stuff: "pie" },
  { name: "bowl of barley porridge", stuff: "porridge" },
] as const;

/** sign: "when …"; sky: a sentence; kind: "a … morning". */
export const SEASONS = {
  spring: {
    sign:
      "[the first lambs were born|the hedges turned green|the ice had melted into the brook|the swallows came home]",
    sky:
      "[A soft rain was falling|The wind smelled of wet earth|Small white clouds ran across the sky|A cuckoo was calling]",
    kind: "[mild|windy|rainy|bright|fresh]",
  },
  summer: {
    sign: "[the days were long|the hay was cut|the roses climbed over the wall|the road was white with dust]",
    sky: "[The sun stood high over the fields|Bees hummed in the thyme|Not a leaf moved|The sky was as blue as a jug]",
    kind: "[hot|golden|still|drowsy|cloudless]",
  },
  autumn: {
    sign: "[the apples were ripe|the leaves turned red and brown|the geese flew south|there was smoke over every roof]",
    sky:
      "[Mist lay in the valley|The wind shook the last plums down|Yellow leaves danced along the road|It smelled of mushrooms]",
    kind: "[misty|blustery|crisp|golden|chilly]",
  },
  winter: {
    sign: "[the pond was frozen|snow lay on the roofs|the nights were long|icicles hung from the mill wheel]",
    sky:
      "[Snow was falling without a sound|The air was so cold that it rang|A pale sun hung over the hill|Frost glittered on the fences]",
    kind: "[frosty|snowy|grey|bitter|silent]",
  },
} as const;
export type Season = keyof typeof SEASONS;
