import type { Season } from "./story_world.ts";

/**
 * A story as a template for `StoryTeller`. The first line is the title, every further line a paragraph.
 * {h} is the hero, {f} a friend, {g} a third; each has .kind .trait .home .habit .hands .he .him .his .himself.
 */
export interface Plot {
  /** Where it happens in one season only. */
  season?: Season;
  /** Where nobody may have wings. */
  onFoot?: boolean;
  text: string;
}

/** Slots that every story has; what they name differs. */
export const PHRASES = {
  opening: "{beginning} [{Aside}|{Aside}|]",
  aside: `[{Gossip}, but that is another story.|{Sight}.|In those days {h.he} owned {oddment}, {oddment} and {oddment}.
    |{Someone} had once given {h.him} {oddment}, and {h.he} still did not know why.|It was the week after {gossip}.
    |The year before, {someone} had come to {h.him} {when}, {feeling} and {feeling}, to borrow {oddment}.]`,
  beginning: `[Once there was a {h.trait} {h.kind} named {h}, who lived {h.home}. {H.he} {h.habit}.
    |{H} the {h.kind} lived {h.home}. {H.he} {h.habit}, and nobody minded.
    |In the {season}, when {season.sign}, {h} the {h.kind} was [always up before anyone else|seldom at home|never bored].
      {H.he} lived {h.home} and {h.habit}.
    |Nobody [in the valley|for miles around] was as {h.trait} as {h} the {h.kind}, who lived {h.home}.
    |It was a {season.kind} {season} [morning|afternoon], and {h} the {h.kind} had [nothing at all to do|a great deal to do,
      and was doing none of it|been awake since dawn]. {Season.sky}.
    |If you had passed by in those days, you would have seen {h}, a {h.trait} {h.kind}, who lived {h.home} and {h.habit}.]`,
  closing: `[That night {h} slept [soundly|better than {h.he} had for a week|with a smile on {h.his} face].
    |The stars came out one by one, and {h} [counted them until {h.he} fell asleep|wished each of them good night].
    |And when {h} tells the story today, {f} always says, "[You have forgotten the best part|It was much colder than that|I
      remember it differently]."
    |Then they all had supper, and there was enough {food.stuff} for everyone.
    |"[Shall we do it again tomorrow?|Is there any supper?|What a day!]" said {f}, and {h} laughed until {h.his} sides hurt.]`,
  thinking: `[{H} thought about it for a long time.|{H} sat down on a stone to think.|{H} walked up and down.
    |{H} said nothing for a while.|{H} scratched {h.his} head.]`,
  sadly: "[sadly|in a small voice|with a sigh|and looked at the ground]",
  kindly: "[kindly|with a smile|gently|in a warm voice]",
  weeks: "[Three days|A week|Two weeks|A whole month] [later|went by, and then]",
  work: `[sweeping the step|mending a basket|hanging out the washing|chopping wood|peeling potatoes|painting a door
    |counting eggs|fixing a wheel]`,
};

/** One of each group is drawn for a story, whole: its parts belong together. `name` is the group's own slot. */
export const FACETS: Record<string, readonly Record<string, string>[]> = {
  tale: [
    "a whale that was afraid of the dark",
    "a king who could not count past three",
    "a tree that walked to the sea",
    "a cloud that fell in love with a chimney",
    "a thief who stole a mountain, one pocketful at a time",
    "the winter when all the words froze, and had to be thawed by the stove",
  ].map((name) => ({ name })),
  trouble: [
    "the wind took half the roof of {h}'s house",
    "the river came in at {h}'s front door and went out at the back",
    "a tree fell across {h}'s garden",
    "the frost cracked the wall of {h}'s kitchen from top to bottom",
  ].map((name) => ({ name })),
  thought: [
    "the washing that hung in every yard",
    "how a spider crosses a path",
    "the song about the hundred little fishes who pulled a ship",
    "the bell ringers, who all pull together",
  ].map((name) => ({ name })),
  why: [
    {
      name: "does the moon follow us home",
      title: "the Moon Follows Us Home",
      first: "It is afraid of the dark, and we carry lanterns",
      second: "It does not follow us. It is the road that moves",
      own: "it follows everyone, so that nobody has to walk alone",
    },
    {
      name: "do the leaves fall",
      title: "the Leaves Fall",
      first: "The tree gets tired of holding them",
      second: "The wind collects them. He has a box for every colour",
      own: "the tree is making a blanket for its own feet",
    },
    {
      name: "is the sea salty",
      title: "the Sea Is Salty",
      first: "The fishes like it that way",
      second: "A sailor once dropped the salt, and was too proud to say so",
      own: "every river brings it one grain, and the sea never forgets a present",
    },
    {
      name: "does an echo answer",
      title: "the Echo Answers",
      first: "Somebody lives in the hill, and is very lonely",
      second: "The hill is only learning to speak, and repeats every word",
      own: "the sound goes out to see the world, and comes home again as we all do",
    },
    {
      name: "do cats purr",
      title: "Cats Purr",
      first: "They have swallowed a bee",
      second: "It is how they count the minutes until supper",
      own: "they are so full of sleep that a little of it spills over",
    },
    {
      name: "is snow white",
      title: "Snow Is White",
      first: "The clouds ran out of colours after the autumn",
      second: "It is not white. It is only very clean",
      own: "it leaves room for us to draw on it with our feet",
    },
    {
      name: "do stars twinkle",
      title: "Stars Twinkle",
      first: "They are shivering. It is cold up there",
      second: "Somebody forgot to close the door, and there is a draught",
      own: "they have seen us looking, and are waving",
    },
  ],
  broken: [
    { name: "blue jug", title: "Blue Jug", sound: "Crash! It lay on the floor in seven pieces" },
    {
      name: "glass bird",
      title: "Glass Bird",
      sound: "There was a sound like a very small bell, and then none at all",
    },
    {
      name: "flowered teapot",
      title: "Flowered Teapot",
      sound: "Smash! The spout rolled under the table and hid there",
    },
    { name: "tall green vase", title: "Green Vase", sound: "Crack! It broke right down the middle, like an egg" },
  ],
  riddle: [
    {
      name: "I come in without opening the door. I fill the whole room, and nobody can sweep me out",
      wrong: "A very fat guest",
      answer: "the light",
    },
    {
      name: "I run all day and all night, I never leave my bed, and I have never worn out a shoe",
      wrong: "Somebody who is dreaming",
      answer: "the river",
    },
    {
      name: "I am with you all day long. At noon I am small, in the evening I am a giant, and in the dark I leave you",
      wrong: "My aunt",
      answer: "my own shadow",
    },
    {
      name:
        "I weigh nothing, and yet the strongest cannot hold me for long. You have let go of me twice since I began to speak",
      wrong: "A feather with a secret",
      answer: "my breath",
    },
    {
      name: "The more you take from me, the bigger I grow. I was never built, but you can fall into me",
      wrong: "A hungry cousin",
      answer: "a hole in the ground",
    },
    {
      name: "I have a face and two hands, and I go round and round, but I never get anywhere",
      wrong: "The mayor",
      answer: "a clock",
    },
  ],
  moon: [
    { name: "pond", where: "of the pond", tool: "bucket" },
    { name: "well", where: "of the well", tool: "pail on a rope" },
    { name: "barrel", where: "of the rain barrel", tool: "soup ladle" },
    { name: "lake", where: "under the landing stage", tool: "fishing net" },
  ],
  letter: [
    {
      name: "hens",
      news: "A hen has moved into my hat, and I have not the heart to tell her that I need it",
      reply: "I have painted my front door green, and now I walk past my own house every evening",
      excuse: "I have promised to hold the ladder for the whole choir",
      idea: "You could bring the ladder, and the choir could sing under my window",
    },
    {
      name: "roof",
      news: "I can see the stars from my bed now, which is pretty, but I would rather have a roof",
      reply: "I have learned to whistle with two fingers, and nobody here will speak to me",
      excuse: "my boots are at the cobbler's, and the cobbler is at the seaside",
      idea: "If you come barefoot through the meadow, it is shorter, and the grass is soft",
    },
    {
      name: "pumpkin",
      news: "My pumpkin has grown so big that I must go out by the window",
      reply: "I have found a frog in the bath, and we take turns",
      excuse: "somebody has to be here to feed the frog",
      idea: "Bring the frog! It can live in the pumpkin, and we shall have both the bath and the door again",
    },
    {
      name: "tune",
      news: "I have had a tune in my head for nine days, and it has no end",
      reply: "I dreamed that I was a spoon, and woke up feeling quite polished",
      excuse: "the hay must be brought in before it rains",
      idea: "I shall help you with the hay, and you will help me find an end for my tune",
    },
  ],
  rhyme: [
    {
      name: "lullaby",
      opening: "Hush now, {h}, the day is done,\nDown behind the hill the sun.",
      one: "The mill wheel sleeps, the millstones too,\nAnd nobody needs to know but you.",
      two: "The fox has folded up her tail,\nThe moon has hung her silver pail.",
      three: "The wind that ran the whole day long\nHas come back home to learn a song.",
      four: "The bread will rise, the night will go,\nThe seed will think of how to grow.",
      five: "A boat may rock, a star may fall,\nThe lamp is watching over all.",
      six: "The river hums beneath the stone\nThat no one ever sleeps alone.",
      closing: "So close your eyes, and so shall I,\nAnd leave the stars to mind the sky.",
    },
    {
      name: "walking song",
      opening: "Oh, {h} went out on a {season} day\nWith a crust of bread and a long, long way,",
      one: "With a hat too big and a boot too small,\nAnd nothing to hurry about at all,",
      two: "Past the goose on the green and the goat on the hill,\nAnd the road went on, and it goes on still,",
      three: "With a stick in the hand and a stone in the shoe,\nAnd a sky overhead of the very best blue,",
      four: "And the gate said creak, and the brook said run,\nAnd the cat on the wall said nothing to none,",
      five: "And whoever was sad had a mile for free,\nAnd whoever was glad went along for the tea,",
      six: "And the puddles were deep and the puddles were wide,\nAnd there was a piece of the sky inside,",
      closing: "And the way back home was as short as a song,\nFor a friend had been walking beside all along.",
    },
  ],
};
