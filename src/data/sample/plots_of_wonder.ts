import type { Plot } from "./story_phrases.ts";

/** Stories of questions, wishes and surprises; see `Plot` for how they are written. */
export const PLOTS_OF_WONDER: readonly Plot[] = [
  {
    text: `{H}'s Wish
{opening}
One day {h.he} found an old coin {place.at}. {H.he} rubbed it on {h.his} sleeve, and the coin [coughed|sneezed|cleared its
  throat]. "Good [morning|evening]," it said. "You may have one wish. [Think well|Most people choose badly|Take your time]."
[{H} did not think well. "I wish that it would never rain again," {h.he} said, for {h.his} feet were wet.
The next day was sunny, and so was the next. {H} lay in the grass and was happy. But after a month the brook was only a line
  of stones. The beans turned brown, the bees found no flowers, and {f} the {f.kind} carried water from the far side of the
  hill. "Is it not lovely?" asked {h}. {f} only looked at {h.him}, too thirsty to answer.
{H} ran {place.to}. "Please," {h.he} begged the coin, "give us back the rain!" There was a rumble. Then a drop fell on
  {h.his} nose, and another, and {h} stood in the middle of it with open arms, wet and laughing.
|{H} did not wait a moment. "I wish that every day were my birthday!" {h.he} said.
The first day there were songs and a cake. The second day there were songs and a cake. On the ninth day {f} the {f.kind}
  sang with {f.his} eyes closed, and on the twentieth nobody sang at all. There was no flour left in the village, and {h}
  felt ill when {h.he} saw a candle.
"What do you want today?" asked {f}, and yawned.
"An ordinary day," said {h} {sadly}. "With porridge." {H.he} went {place.to} and asked the coin to take the wish back. And
  the next morning was a plain grey Monday, and it was the best present of all.
|{H} was tired of looking up at everyone. "I wish to be as tall as the old oak," {h.he} said.
It happened at once. {H} could see the sea, and the far hills, and the tops of the clouds. But {h.he} could not get into
  {h.his} house. Birds built nests in {h.his} hair. And when {f} the {f.kind} called to {h.him}, the voice was so far below
  that {h} heard only a squeak.
"What did you say?" asked {h}, and {h.his} breath blew {f} into a hedge. Then {h} was sorry. {H.he} bent down carefully,
  picked up the coin as one picks up a crumb, and wished to be just the right size again, which was the size {h.he} had
  always been.
|{H} had been kept awake by the dark. "I wish that there were no night," {h.he} said.
So the sun stayed where it was. At first everyone [played longer|danced in the street]. But soon the cocks did not know when
  to crow, the children were cross, and {f} the {f.kind} put a bucket over {f.his} head in order to sleep. And the best
  thing in the whole day, {h} remembered, had been the stars.
"I made a mistake," {h} told the coin. "I did not know that the dark was good for something." The coin smiled, as far as a
  coin can. Slowly the sun went down, and the whole valley sighed and closed its eyes.]
The coin rolled away into the grass. {H} let it go. [A wish is a fast horse, and it is wise to look at the road first
  |Some things are best as they are|{H.he} had nothing left to ask for].`,
  },
  {
    text: `Why {why.title}
{opening}
One day {h.he} asked a question. "Why," said {h}, "{why}?"
{H.he} asked {f} the {f.kind} first, who was {work}. "That is easy," said {f}. "{why.first}." {H} thanked {f.him}, but
  {h.he} was not sure.
So {h.he} went {place.to} and asked {g} the {g.kind}. "[Nonsense|Whoever told you that]!" said {g}. "{why.second}. Everybody
  knows it." {H} thanked {g.him} too, and now {h.he} was less sure than before.
{H} asked [the postman|the ferryman], who said that it was none of his business, and [a snail|a very old goat], who was still
  thinking about it when the sun went down.
That evening {h} [sat on the doorstep|lay awake] and thought about it alone. {H.he} thought for a long time. [{Season.sky}.|It grew quiet.] "I think," said {h} at last, "that {why.own}."
"Is that the right answer?" asked {f}, who had come to sit beside {h.him}.
"I do not know," said {h}. "But it is the one I found myself, [and tomorrow I shall think again|so I know where it lives]."
  {closing}`,
  },
  {
    season: "spring",
    text: `{H} and the Seed
{opening}
In March {g} the {g.kind} gave {h} a seed. "What will it be?" asked {h}.
"Wait and see," said {g}. "[That is the hardest part|A seed tells its secret slowly]."
{H} planted it {place.at} and watered it. The next day {h.he} came to look. There was nothing but earth. The day after that
  there was still nothing. {H} [sang to it|told it a story|put up a sign that said Please Grow].
"[You are watering mud|It is only a hole]," laughed {f} the {f.kind}.
"It is thinking," said {h}. But at night {h.he} wondered. Perhaps it was asleep. Perhaps a worm had eaten it. Once {h.he} nearly
  dug it up to see, and {h.his} {h.hands} were already in the earth when {h.he} stopped. "[No|Not yet]," {h.he} told
  {h.himself}. "One more day."
[It rained|The sun shone] for one more day, and then for another. And on a {season.kind} morning, there it was: one green
  [loop, like the handle of a cup|leaf, no bigger than a fingernail]. {H} ran through the whole village to tell everyone.
By summer it was [a sunflower, taller than the fence, and the bees came from far away|a bean with red flowers, and it climbed
  right up to the roof|a small apple tree with seven leaves, and {h} knew each of them]. {F} came and stood before it for a
  long time. "Have you got another of those holes?" {f.he} asked.
{H} laughed, and gave {f.him} [a seed|three seeds]. "It is mostly waiting," said {h}. "But I will wait with you."`,
  },
  {
    text: `The Noise in the Night
{opening}
One night a sound woke {h.him}. It went [tap, tap, scratch|creak, thump, creak|hoo, hoo, clank]. {H} pulled the blanket over
  {h.his} nose. "It is only [the wind|a branch]," {h.he} told {h.himself}. But the wind does not [stop when you listen|sound as
  if it were walking up and down].
[Tap, tap, scratch|There it was again, and nearer]. {H} thought of [giants|a monster with cold feet|the thing that lives
  under bridges]. {H.he} thought of staying in bed until spring. Then {h.he} thought, "[If I do not look, it will grow bigger
  every night|Whatever it is, it sounds lonely]." So {h.he} lit a candle, and went out with {h.his} heart beating like a drum.
{Season.sky}. The shadows were [long|as black as ink], and every one of them seemed to have teeth. At the corner of the house
  something [moved|sighed]. {H} held up the candle.
[It was {f} the {f.kind}, with a bucket stuck on {f.his} head. "Who is there?" cried {f}, walking into the wall. "I have been
  trying to find your door for an hour!"
|It was {f} the {f.kind}, who was trying to hang a lantern over the door. "Oh, bother," said {f}. "It was meant to be a
  surprise. Tomorrow is your birthday."
|It was {f} the {f.kind}, sitting on the step with {f.his} chin in {f.his} {f.hands}. "I heard a noise at my house," said {f},
  "and I was afraid, so I came here. But I did not dare to knock."]
{H} began to laugh, and could not stop. "[You are the best monster I ever met|And I was afraid of you]," {h.he} said. They
  went in and had a {food} in the middle of the night, and [the shadows on the wall had no teeth at all|when it creaked again,
  neither of them looked up]. {closing}`,
  },
  {
    text: `The Long Way to a {thing.title}
{opening}
{H} needed a {thing}, but {h.he} had no money. {H.he} had only a ball of string.
{H.he} took the string and went {place.to}. There {h.he} met {f} the {f.kind}, whose [trousers were falling down|gate would not
  stay shut|parcel had burst]. "String!" cried {f}. "That is just what I need. I can give you [a pumpkin|three candles|a jar of
  buttons] for it." So {h} gave away the string.
A little farther on sat {g} the {g.kind}, who looked [cross|worried]. "I have guests tonight," said {g}, "and nothing at all to
  put on the table." {H} looked at what {h.he} was carrying. "Would this help?" {h.he} asked. {G}'s face grew bright. "You have
  saved me! Take this [umbrella|hammer|hen]. I have two."
Then it began to rain, and [a pedlar|a painter|a travelling doctor] came running down the road. {H} was good at heart, and gave
  it to him without asking for anything. "I have no coins," said the man. "But I found this on the road, and it is
  of no use to me." And out of his bag he took a {thing}.
{H} carried it home through the [rain|puddles], singing. "What did it cost?" asked {f}.
"A ball of string," said {h}, "and three people's troubles." [It was the best bargain in the valley.|{closing}]`,
  },
  {
    onFoot: true,
    text: `The Riddle at the Bridge
{opening}
One day {h} and {f} the {f.kind} wanted to cross the river. But on the bridge sat an old billy goat with a grey beard. "Nobody
  crosses," he said, "who cannot answer my riddle."
"[I am no good at riddles|Let us go the long way round]," whispered {f}. "Ask it," said {h}.
The goat closed his eyes. "{riddle}," he said. "What am I?"
"{riddle.wrong}," said {f} at once. The goat shook his head, and his beard swung from side to side. "You have one more try."
{thinking} {Season.sky}. {H} looked [at the water|at the sky|all around], and then {h.he} began to smile. "I know you," {h.he}
  said. "You are {riddle.answer}."
"[Hm|Well, well]," said the goat. "It took the last one until Thursday." And he stood up, [with a crack of his old knees|very
  slowly], and let them pass.
"How did you know?" asked {f} on the other side.
"I stopped thinking about the words," said {h}, "and looked [for the thing|where it would be]." All the way {place.to} they made
  up riddles of their own, and the worst of them was about a {food}. When they came back in the evening, they asked it to the
  goat. He is still sitting there, thinking.`,
  },
  {
    text: `{H} and the Moon
{opening}
One clear {season} night {h} looked into the water {moon.where} and saw the moon lying at the bottom. "It has fallen in!"
  cried {h}. "[It must be freezing|It will be so lonely|Somebody must get it out]."
{H.he} fetched a {moon.tool} and dipped it in. The moon broke into a hundred pieces. {H} was [horrified|so frightened that
  {h.he} sat down]. But when the water grew still, the moon was whole again. "It mends itself," {h.he} thought. "But it does not
  want to come."
Along came {f} the {f.kind}. "What are you doing?" {f.he} asked. {H} told {f.him}. {F} [looked into the water, then up, then into
  the water again|did not laugh]. {F.he} knew very well where the moon was. But {f.he} also saw how wet {h}'s sleeves were, and
  how hard {h.he} had tried.
"Perhaps," said {f}, "it has only come to [drink|see how it looks]. Let us wait, and see whether it goes home by itself."
So they sat [side by side|wrapped in one blanket] and ate a {food}. Little by little the moon moved across the water, until it
  slipped over the edge and was gone. "There," said {f} {kindly}. "Look up."
And there it was, high over {place}, round and bright and perfectly dry. "[We did that|It found the way|Good night, moon],"
  said {h}, and yawned. {closing}`,
  },
  {
    text: `The Day the Clock Stopped
{opening}
In the tower of the village hung a great clock. It struck every hour, and by it the bread was baked, the cows were milked and
  the children were sent to bed. One {season} morning it stopped at [ten past seven|a quarter to nine|five to three].
At first [it was a holiday|nobody noticed]. Then [the bread was burnt|the milk turned sour], and {f} the {f.kind} ate breakfast
  four times, because nobody could tell {f.him} that it was over. {G} the {g.kind} rang at every door to ask the time, and
  everybody gave {g.him} a different answer.
The mayor climbed up with [an oil can|a big hammer]. He [shook his head|hit it, and it fell a little more silent]. "It cannot be
  mended," he said.
But {h} went up all the stairs and [put {h.his} ear to the wheels|looked, and did not touch anything]. {H.he} looked for so long
  that the pigeons forgot {h.him}. Far in, behind the largest wheel, there was something [small and soft|pale]. It was a [feather
  |sock|love letter]. {H} drew it out with [a bent wire|a fishing hook], and the clock said tick. Then, after a while, it said
  tock.
"How did you do it?" asked the mayor, who was still holding the hammer.
"I asked it what was wrong," said {h}, "and waited for the answer." At noon the clock struck twelve, and {f}, who was about to
  begin a fifth breakfast, put down {f.his} spoon and called it [lunch|dinner].`,
  },
  {
    text: `A Cake for {F}
{opening}
It was the birthday of {f} the {f.kind}, and {h} wanted to bake a cake. {H.he} had never baked before, but {h.he} had seen it done
  [twice|through a window], and it had looked easy.
{H.he} took [flour and butter|six eggs and most of their shells], and then a large cup of something white. {H.he} stirred until
  {h.his} arms ached. The cake rose. It was [as golden as a haystack|a little crooked, like a hat], and it smelled [of Sundays
  |wonderful].
{F} blew out the candle and took a big bite. {F.he} [stopped chewing|went red, then white, then red again]. "It is very," said
  {f}, and drank a whole jug of water. "It is very [surprising|strong]."
{H} tasted it too. It was salt. There was not a grain of sugar in it. {H} wanted to [creep under the table|cry].
"[Wait|Do not throw it away]," said {g} the {g.kind}, who [wasted nothing|had come for the party]. They put the cake [outside the
  fence, and by evening three deer had come out of the wood to lick it, and stood there in the last light like something in a
  dream|in the great soup kettle, a slice at a time, and it was the best soup that anybody could remember].
"Nobody ever gave me [deer|a birthday soup] before," said {f}, and {f.his} eyes shone. "Will you do it again next year?"
"Next year," said {h}, "I shall taste it first." {closing}`,
  },
  {
    text: `Letters between {H} and {F}
Dear {f}, I hope that you are well. It is a {season.kind} {season} here. {Letter.news}. Yesterday I went {place.to} and thought of you, because
  of the day when [we lost both oars|you fell asleep in the hay|it rained and we laughed]. When will you come to visit? Your
  friend, {h} the {h.kind}.
Dear {h}, your letter came on [Tuesday|Friday], a little wet, because the postman had dropped it in the brook. I was {work}, and
  I stopped at once to read it. I have news too. {Letter.reply}. I would come tomorrow, but {letter.excuse}. Your {f}.
Dear {f}, what a pity! But I have an idea. {Letter.idea}. What do you say? I am sending you a {food} with this letter. If the
  postman looks happy and the parcel is light, you will know why. Your {h}.
Dear {h}, the postman looked very happy. But [he left me a corner, and it was good|the crumbs were excellent]. About your idea: yes,
  yes, and once more yes! [I have already packed|I am looking for my boots]. Put the kettle on. I shall be there before this letter
  is. Your own {f}.
And so {f.he} was. {H} opened the door, and there stood {f} the {f.kind} with a bag in one hand, and behind {f.him} came the
  postman, out of breath, holding the letter.`,
  },
  {
    text: `A Song for {H}
{rhyme.opening}
[{rhyme.one}
{rhyme.two}|{rhyme.two}
{rhyme.three}|{rhyme.three}
{rhyme.one}]
[{rhyme.four}
{rhyme.five}|{rhyme.five}
{rhyme.six}|{rhyme.six}
{rhyme.four}]
{rhyme.closing}
This is the song that {f} the {f.kind} made up for {h} the {h.kind}. {F.he} sang it {place.at} [one {season.kind} evening|on market day
  |while {f.he} was {work}]. [The first time, {h} hid {h.his} face. The second time, {h.he} hummed along.|{G} the {g.kind} said that
  it had no proper tune. But {g.he} was heard whistling it the next day.|{H} did not know what to say, so {h.he} gave {f.him} a
  {food}, and both of them were content.]`,
  },
];
