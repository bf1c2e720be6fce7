import type { Plot } from "./story_phrases.ts";

/** Stories of friends, quarrels and help; see `Plot` for how they are written. */
export const PLOTS_OF_KINDNESS: readonly Plot[] = [
  {
    text: `The Lost {thing.title}
{opening}
{H} owned [very little, but there was one thing {h.he} loved|many small things and one precious one]: a {thing}.
  {Thing.why}. [Every night {h.he} put it beside {h.his} bed.|{H.he} polished it on Sundays.|{H.he} took it everywhere.]
[One evening|One {season.kind} afternoon|Then, one day,] {h} [reached|looked] for the {thing}, and it was not there. {H.he}
  looked under the bed. {H.he} looked [behind the stove|on top of the cupboard|inside {h.his} boots]. {H.he} even looked
  in the [teapot|soup|flour], which was foolish, and {h.he} knew it.
"Have you seen my {thing}?" {h} asked {f} the {f.kind}, who was {work}.
"No," said {f}, "but [I will help you look|four eyes are better than two|I know how it feels]. Where did you have it last?"
{thinking} "{Place.at}," {h.he} said. "I am [almost|quite|nearly] sure of it."
So they went {place.to}. {Season.sky}. They searched [until the light was nearly gone|every corner twice|on their knees],
  and they found [a spoon, two acorns and somebody's left shoe|a rusty nail and a very surprised beetle|nothing but wet
  feet], but no {thing}.
[On the way home they met {g} the {g.kind}. {G} looked at {h}, and then {g.he} began to laugh. "What is that," {g.he} asked,
  "hanging from your back?" The {thing} had caught on {h.his} own coat. It had been there all day.
"We looked so far away," said {f}, "for something so near." {closing}
|On the way home they met {g} the {g.kind}. "I found this {place.at} this morning," said {g}, and held up the {thing}. "I
  have been asking at every door. I am glad it is yours, for my feet are tired."
{H} took it in both {h.hands} and could not speak. From that day there was always [a chair by the fire|a slice of cake]
  for {g} in {h.his} house, because honest friends are rarer than any {thing}. {closing}
|Then {f} pointed to a hole among the roots. Inside, on a bed of moss, lay the {thing}, and against it, in a row, slept four
  baby dormice. "I think it keeps the wind away from them," whispered {f}.
{H} [reached out, and then drew back|looked for a long moment]. "Let them keep it until they are grown," {h.he} said. "I can
  wait." And {h.he} did. Months later it stood on {h.his} doorstep again, polished, with a hazelnut beside it for rent.
  {closing}]`,
  },
  {
    text: `{H} and the Hungry Guest
{opening}
One {season.kind} evening {h} sat down to supper. There was [only|nothing but] a {food}, and it was [the last|all {h.he} had
  until market day]. Just as {h.he} picked up [the spoon|a knife], there came a knock at the door.
Outside stood {f} the {f.kind}, [wet to the skin|covered in dust|too tired to lift {f.his} head]. "I have [come a long way
  |walked since morning]," said {f}, "and my {f.hands} are empty. Could you spare a bite to eat?"
{H} looked at the {food}. It seemed smaller than before. Then {h.he} looked at {f}. "Come in and sit down," {h.he}
  said [at last|quickly, before {h.he} could change {h.his} mind]. "[Half of a little is still something|Supper tastes
  better when two are eating it|I was not so very hungry, I think]."
They ate [slowly, to make it last|every crumb]. To say thank you, {f} told a story about {tale}, and {h} [laughed so hard
  that the dog next door began to bark|forgot that {h.he} was still hungry|asked for it a second time].
In the morning {f} was gone. {Weeks} {trouble}. {H} stood in front of the [mess|ruin] and did not know where to begin.
Then {h.he} heard [singing|voices|wheels] on the road. It was {f}, and with {f.him} came [seven cousins|{g} the {g.kind}
  |{g} the {g.kind} and half the village], carrying [ladders, ropes and a basket of food|hammers, nails and a pot of soup].
"You gave me half of a little," said {f}. "I have come to give you half of a lot." By evening [the work was done|everything
  stood where it should]. {closing}`,
  },
  {
    text: `The Great Race
{opening}
{F} the {f.kind} was [proud of {f.his} legs|fond of talking]. "I am the fastest in the valley," {f.he} said to everyone who
  would listen. "[Nobody can beat me|Not even the wind can catch me]. Who will race me {place.to}?"
Nobody answered. Then, to {h.his} own surprise, {h} said, "I will."
[Half the village|Everybody] came to watch. {Season.sky}. "One, two, three!" cried {g} the {g.kind}, and they were off. {F}
  was out of sight before {h} had [passed the first gate|found {h.his} feet].
[Halfway there, {f} heard somebody crying in the ditch. It was a lamb with its foot in a root. "I have no time," called {f},
  and ran on. A little later {h} came by. {H} stopped. {H.he} pulled the root aside, dried the lamb's nose, and led it back
  to its mother. When {h.he} came at last {place.to}, the race was long over.
But nobody stood around {f}. They all ran past {f.him} to meet {h}, for the lamb's mother had been there before them and told
  the whole story. {F} looked at {f.his} prize, which was a {food}. Then {f.he} walked over and broke it in two. "I only won
  the race," {f.he} said. "You may have the bigger half."
|But {f} was so sure of winning that {f.he} stopped to [tell the ducks about it|look at {f.himself} in a puddle|comb
  {f.his} hair]. And then {f.he} stopped again to [pick a flower to wear at the feast|practise what {f.he} would say]. And
  {h} went on, one step after another, neither fast nor slow, humming a small song.
When {f} looked up, {h} was already waving from {place}. The cheering could be heard in the next village. "How did you
  do it?" asked {f}, out of breath.
"I was only walking," said {h}. "I think it was you who lost, rather than I who won."
|They ran side by side, then one ahead and then the other. On the last hill {f} fell over a root and lay still. {H} heard it,
  and turned around. "Go on," groaned {f}. "You can win!"
"It is no race if there is only one of us," said {h}, and helped {f.him} up. They came {place.to} together, leaning on each
  other. {G} had to give two prizes, and as there was only one {food}, all three of them ate it on the spot.]
{closing}`,
  },
  {
    onFoot: true,
    text: `The Night of the Storm
{opening}
[That week|One {season} day] the sky turned [black|the colour of slate]. First came the wind, which [rattled every shutter
  |bent the pines]. Then came the rain. By nightfall the river had [swallowed the path|climbed over its banks], and the
  little bridge was gone.
"Help!" somebody called through the dark. {H} took {h.his} lantern and ran outside. On the other side of the water stood
  {f} the {f.kind}, on a piece of land that grew smaller [every minute|as {h.he} watched].
"I cannot swim that," shouted {f}. "[Nobody could|It is too strong]!"
{thinking} There was no boat, and no rope was long enough. Then {h} thought of {thought}.
{H.he} [knocked at every door|rang the church bell]. "Bring whatever can be tied!" {h.he} cried. {G} the {g.kind} brought [a
  washing line|a fishing net|reins from the stable]. Others brought belts, curtains, a hammock and one very long scarf. They
  knotted it all together, and {h} tied a [stone|boot] to the end and threw. It fell short. {H.he} threw again, and it fell
  short again. The third time {f} caught it.
"Pull!" cried {h}, and they pulled. Up came {f}, [coughing and dripping|as wet as a fish], and [fell into {h}'s arms|could
  only say thank you, over and over].
In the morning they built a new bridge, [stronger than the old one|of stone this time]. But they never took the rope apart.
  It hangs in the [inn|church] to this day, all colours, and if you ask what it is, they will tell you that [no piece of it
  was long enough, until it was tied to the next|it is made of the whole village].`,
  },
  {
    text: `The Quarrel
{opening}
{H}'s best friend was {f} the {f.kind}, who lived {f.home}. They shared everything, until the day they found a {thing}
  {place.at}.
"I saw it first," said {h}.
"But I picked it up first," said {f}.
"You always [want everything|have to be first]!"
"And you never [listen|give anything away]!" They both pulled, and there was a small sad sound. The {thing} lay on the ground
  in two pieces. [Neither of them spoke.|They looked at it, and then away.] {H} went home by one road and {f} by the other.
The next day was [long|dull and empty]. {H} began to tell a joke, and there was nobody to hear it. {F} cooked [soup|porridge]
  for two, from habit, and [poured half of it away|let it grow cold]. On the second day it was worse.
On the third day {h} took {h.his} half of the {thing}, put it in {h.his} pocket, and set out. Halfway there, just where it had all
  begun, {h.he} met {f}, who was coming the other way with {f.his} half in {f.his} {f.hands}.
"I came to give you this," they both said at once. Then they [began to laugh|did not know whether to laugh or to cry].
They took the pieces to {g} the {g.kind}, who had [glue and good eyes|a steady touch]. When {g} had finished, there was still
  a thin line where the {thing} had been broken. "I cannot make it go away," said {g}.
"Leave it," said {h}. "[It will remind us|That is the part we made together|I like it better so]." {closing}`,
  },
  {
    text: `Who Broke the {broken.title}?
{opening}
In the kitchen of {g} the {g.kind} stood a {broken}, and everybody knew that it was [old|a wedding present|{g.his} pride]. One
  day {h} was there alone. {H.he} only wanted to [see what was inside|dust it|hold it up to the light]. It slipped.
{Broken.sound}.
{H} looked at the pieces, and {h.his} ears grew hot. When {g} came home, {h} said quickly, "[The wind did it|It was the wind.
  It came in at the window and knocked it down]."
"The wind," said {g}, and looked at the window, which was shut. But {g.he} only fetched a broom.
A lie is a small thing at first. But {h}'s lie grew. At supper it sat beside {h.his} plate, and the {food} tasted of nothing.
  At night it lay on {h.his} pillow and left no room for {h.his} head. When {f} the {f.kind} said, "[What a strong wind that
  must have been|I felt no wind that day]," {h} [ran away|could not look at {f.him}].
[After three days|At last] {h} went back and stood at {g}'s door. "It was not the wind," {h.he} said {sadly}. "It was me. I am
  sorry."
{G} was [silent for a moment|still holding the broom]. "I know," {g.he} said {kindly}. "The wind came by yesterday and told me
  it was innocent. I was waiting to see which of us would be braver, you or your lie."
Together they [made a new one out of clay. It was crooked, and it leaked a little, and {g} put it in the best place of all
  |planted a geranium in the biggest piece, and it bloomed until the first frost]. And {h} went home feeling as light as a
  feather. {closing}`,
  },
  {
    text: `The Letter without a Name
{opening}
One morning a letter lay on the doorstep. The rain had washed the name away. Inside there was only one line:
  "[Please come, I have been waiting so long.|Meet me {place.at}, I have something to tell you.|I am sorry. Will you be my friend
  again?]"
"It is not for me," said {h}, "but somebody must be looking for it." So {h.he} put on {h.his} hat and went from door to door.
"Is it yours?" {h.he} asked {f} the {f.kind}, who was {work}.
"I wish it were," said {f}. "Nobody ever writes to me." {H} [remembered that|thought about that on the way] and went on.
"Is it yours?" {h.he} asked {g} the {g.kind}.
{G} turned very [pale|red]. "No," {g.he} said. "It is not mine. But I wrote it. I wrote it to {f}, and all week I have been
  waiting for an answer. I thought that {f.he} was still angry."
"{F.he} is not angry," said {h}. "{F.he} is {work}, and {f.he} thinks that nobody writes to {f.him}. Come!" And {h.he} took
  {g} by the sleeve and ran.
What the two of them said to each other is nobody's business. But it took a long time and [a whole pot of tea|most of a
  {food}]. And the next morning there were two letters on {h}'s doorstep, with the name written large and clear, so that no
  rain in the world could wash it away.`,
  },
  {
    season: "winter",
    text: `The Blanket of a Hundred Pieces
{opening}
That winter was the coldest that anybody could remember. {Season.sky}. {F} the {f.kind} was ill, and lay in bed {f.home}, and
  [shook so that the cups rattled on the shelf|could not get warm].
{H} had no blanket to give. {H.he} had only [one good scarf|an old red shirt], and {h.he} cut a square from it. Then {h.he} took
  {h.his} scissors and went from door to door. "[I do not need much|Just a little piece]," {h.he} said. "Only what you can spare."
{G} the {g.kind} gave the pocket of a blue apron. The schoolmaster gave the end of his tie. Somebody gave a piece of a wedding
  dress, and somebody a piece of a sack that still smelled of [potatoes|coffee]. [A little boy had nothing, so he gave a button.]
For three nights {h} sewed. {H.his} eyes were red and {h.his} {h.hands} were sore. When the last stitch was done, the blanket was
  as bright as a garden, and it was not straight on any side.
They laid it over {f}. "Who made this?" {f.he} whispered.
"[I only held the needle|Everybody]," said {h}. Slowly the shaking stopped. "It is strange," said {f}, half asleep. "Not one of
  these pieces could keep [a mouse|an egg] warm." By the time the snow had melted, {f.he} was well again. {closing}`,
  },
  {
    text: `The Shy Singer
{opening}
{H} had a secret. {H.he} could sing. But {h.he} sang only when {h.he} was alone, [in the cellar|with {h.his} head in a cupboard
  |far out {place.at}], for if anyone looked at {h.him}, {h.his} voice crept away like a [mouse|snail].
[One day {f} the {f.kind} came by and heard it. {F.he} did not move until the song was over.|{F} the {f.kind} heard it by chance, and
  dropped {f.his} basket.] "You must sing at the {season} feast," said {f}.
"I cannot," said {h}. "They will all look at me."
{F} [thought for two days|scratched {f.his} ear]. "[Then sing to me|Do not sing to all of them]," {f.he} said. "I shall stand at the
  back, by the door. There will be nobody there but you and me, and some furniture."
On the evening of the feast the hall was full. {H} climbed up on a chair, and saw [a hundred faces|more eyes than there are stars].
  {H.his} mouth was dry. {G} the {g.kind} coughed. Then, far at the back, {h.he} saw {f}, who was [holding up a candle|waving both
  {f.hands}]. "Furniture," {h} said to {h.himself}, and began.
It was a small song about [the river going home|a lamp in a window|snow on the sea]. [Nobody moved.|An old man put down his pipe.]
  When it was over there was such a silence that {h} thought {h.he} had done something wrong. Then the whole hall stood up and
  [clapped|cheered] until the windows shook.
"[That was loud|Well]," said {f} afterwards, "for furniture." {closing}`,
  },
  {
    text: `The New Neighbour
{opening}
In the {season} somebody moved into the empty house {place.at}. Nobody had seen who it was. They saw only [smoke from the chimney
  |a light that burned all night], and heard [hammering|a strange deep humming].
"I have heard it is a [robber|wizard]," said {g} the {g.kind}.
"I have heard it has [three rows of teeth|eyes like lamps]," said somebody else. By the end of the week the new neighbour was
  nine feet tall and ate [cats|bells], and no one walked past the house any more.
"Has anybody said good morning?" asked {h}. Nobody had.
So {h} took a {food} and went. {H.his} knees were [not quite steady|shaking]. {H.he} knocked. The noise stopped, and steps came
  nearer, and the door opened a very little.
It was {f} the {f.kind}, with flour on {f.his} nose. "Oh!" said {f}. "[A visitor|I thought that nobody lived here but me]! I have
  knocked at so many doors, but when I come, the curtains close. I have heard such things about this village. They say that
  somebody here is nine feet tall."
{H} began to laugh, and [explained everything|told {f.him} about the teeth and the eyes]. They laughed until the {food} was gone.
  The next day there were two at every door to say good morning. It takes one knock to [open two houses|make a neighbour].
  {closing}`,
  },
  {
    text: `The Borrowed Umbrella
{opening}
It was raining, and {h} had no umbrella. "Take mine," said {f} the {f.kind}. "But bring it back, for my roof leaks, and I sleep
  under it."
"I shall bring it back tonight," promised {h}. But that evening {h.he} was tired, and the umbrella was wet, and {h.his} chair was
  soft. "Tomorrow," {h.he} said. The next day the sun was shining, and who thinks of umbrellas in the sun? It stood behind the
  door, and [a spider moved in|{h.his} coat was hung over it].
{Weeks} it rained again, hard, all night. {H} lay in bed and listened to it drumming on the roof. "How good to be dry," {h.he}
  thought. And then {h.he} sat straight up, for {h.he} had remembered.
{H} ran all the way through the dark with the umbrella under {h.his} arm. {H.he} was so ashamed that {h.he} forgot
  to open it. {F} was sitting at the table with a pot on {f.his} head, and all around stood cups and bowls, going plip and plop.
"I am sorry," said {h}. "[I have no excuse|I promised, and I forgot]."
"[You are very wet|You look worse than I do]," said {f}, and [gave {h.him} a towel|moved over]. The next morning {h} came again,
  with {g} the {g.kind}, a ladder and [forty shingles|a bundle of straw], and mended the roof. A promise is a thing one borrows
  too. {closing}`,
  },
];
