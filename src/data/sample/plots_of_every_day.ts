import type { Plot } from "./story_phrases.ts";

/** Days on which little happens, told mostly in details; see `Plot` for how they are written. */
export const PLOTS_OF_EVERY_DAY: readonly Plot[] = [
  {
    text: `Market Day
{opening}
{One.day} {h} went to the market with {f} the {f.kind}. {H} wanted {first}, and {f} [wanted nothing at all, which is the most
  expensive thing to look for|wanted {oddment}|had come for the {food.stuff}].
The first stall belonged to {someone}. There {h} saw {oddment}, {second} and {several} bags of {stuff}. "How much is
  {second.the}?" {h} asked.
"For you, {price}," was the answer.
"That is [a great deal|too much]," said {f}. "Further on they ask {price} for one, and {a.creature} comes with it."
[But further on they had only {oddment}. {H} turned it over and put it back {feeling.way}.|Further on sat {someone}, fast asleep
  behind {oddment} and {several} bags of {stuff}. They walked past on tiptoe.|So {h} offered {price}, and then {price}, and at
  last they shook {h.hands} on it.]
{Sight}. {Sight}. [There was music.|The whole square smelled of {food.stuff}.|A child was crying because of {oddment}.]
[At noon|In the end] {h} had no money left, and a basket with {third}, {oddment} and {oddment} in it. "And where is {first.the}?"
  asked {f}.
"I forgot it," said {h}, and was {feeling} [all the way home|until supper]. "But is {third.the} not beautiful?" {closing}`,
  },
  {
    text: `{H}'s Dream
{opening}
One night {h} dreamed that {h.he} was {first}. {H.he} lay {where}, [and it was not at all unpleasant|and nobody came by|and felt
  {feeling}]. Then {someone} picked {h.him} up and said, "Here is {first.the} that I lost {when}!"
{H} wanted to say that it was a mistake, but such a thing cannot speak. So {h.he} was carried {place.to}, where a {animal} sat on
  {second} and [played the {noun}|counted {stuff}|read the newspaper]. {Sight}. Nobody in the dream [thought it strange|minded].
"You are [late|early|expected|wet]," said the {animal}. "We have been waiting since [Monday|breakfast|the spring]. Have you brought
  {third.the}?" And {h} looked down and saw that {h.he} had. It was {colour}, and growing.
It grew as big as a haystack, and as big as a house, and out of it came {several} {creature.many} in {colour} [hats|boots|coats], and
  after them {f} the {f.kind}, who said only, "[Wake up|Mind {second.the}|It is Tuesday]."
{H} woke up. {Season.sky}. {F} stood beside the bed, {feeling} as ever, and held {oddment}. "I dreamed that you were there," said {h}.
"That is strange," said {f}. "I dreamed of {first}, and [it looked at me|I felt that I knew it]." {closing}`,
  },
  {
    text: `What {H} Saw on the Way
{opening}
{H} had promised to bring a {food} to {f} the {f.kind}, who lived {f.home}. "Come straight here," {f} had said. "Do not stop to look
  at things." {H} promised that too, and set out.
{Sight}. {H} did not stop. {Sight}. {H} stopped, but only [for a moment|for as long as it takes to count to {several}].
A little farther on, {spot}, {h} met {g} the {g.kind}. "Have you heard?" said {g}. "{Gossip}!" {H} had not heard. "And {gossip}," {g}
  went on, "and now they are both {feeling}." {H} said that {h.he} really had to go.
{Sight}. And there, {where}, stood {a.creature} with {second}. {H} [looked for a good long while|had to sit down and watch|laughed out
  loud], and the sun went over the hill.
When {h} came to the door at last, {f} was {feeling}. "It is late," said {f}. "I suppose that you saw [a bird|a cloud|a snail]."
"[Two|Three] of them," said {h}. "And {second}. And {oddment}. Let me tell you!" So {f} shared out the {food.stuff}, and {h} told everything from the beginning, and it became a very good evening. {closing}`,
  },
  {
    text: `How News Travels
{One.day} {neighbour} {did} {first} {spot}. {H} the {h.kind} saw it, and told {f} the {f.kind}, who was {work}.
"Really?" said {f}. And {f.he} put down [the bucket|everything] and ran to tell {someone}. But {f} ran so fast that some of the news
  fell out on the way, and {f.he} had to put in something else.
"Have you heard?" cried {f}. "{Neighbour} {did} {second} {spot}, and a {animal} was there too!"
By noon it was known {where} that {neighbour} had met a {animal} with {second}. By [three|four|five] o'clock it was known {where} that
  there had been {several} of them, {feeling} and {feeling}, each with {third}. {G} the {g.kind} had it from {someone}, who had it from
  {someone}, who had been asleep.
In the evening {g} came to {h}, quite out of breath. "You will never believe it," said {g}. "{Someone} has seen {neighbour} riding on a
  {animal} as big as a house, with {first} on its head and {several} {creature.many} behind it, all in {colour} boots!"
{thinking} "[No|How remarkable]!" said {h}. "And I was there this morning, and saw only {first}." [News is like a snowball. It grows,
  and the stone in the middle stays small.|{G} nodded {feeling.way}, and ran on to tell it at the next house.]`,
  },
  {
    text: `In the Attic of {H}
{opening}
[It was raining|{Season.sky}], and {h} and {f} the {f.kind} climbed up to the attic to put it in order. It had not been put in order
  since [the flood|the wedding of {someone}|anyone could remember].
Under {oddment} they found {first}, and behind it {second} and {several} boxes of {stuff}. In the last box sat {a.creature}, which was
  {feeling} and wished to be left alone.
"What is this?" asked {f}, and held up {second.the}.
"[That is from the year when {gossip}|I gave {someone} {price} for it|I have looked for it since {someone} borrowed it]," said {h}. "I
  cannot throw that away."
"And this?" It was {third}, or had been.
"[Nor that|Least of all that]," said {h}. "One day somebody may need it, and then what?" So they put everything back, the {colour}
  things to the left and the {look} ones to the right, and in the middle {first.the}, because it fitted nowhere.
They were just going down when there was a knock. At the door stood {g} the {g.kind}, looking {feeling}. "I know it is a foolish
  question," said {g}, "but have you by any chance {third}?" {H} looked at {f}, and {f} looked at {h}, and both ran up the stairs.
  {closing}`,
  },
];
