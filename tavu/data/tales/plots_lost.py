"""Plots of things lost and found."""

from tavu.data.tales.lexicon import CAKE, CHILD, COLOR, NEIGHBOR, PARENT, PUPPY_OR_KITTEN, TOY, TREE, entry
from tavu.data.tales.plot import plot

LOST = (
    plot(
        "lost_toy",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "toy": TOY,
            "spot": (
                entry("under the bed", why="It must have fallen there in the night."),
                entry("in the laundry basket", why="Somebody had picked it up with the dirty socks."),
                entry("behind the sofa", why="[The cat had hidden it there!|It was covered in dust.]"),
                entry("inside a big rain boot", why="Now {hero} remembered. {He} had put it there [to keep it safe|so that nobody would take it]."),
                entry("in the bathtub", why="{He} had given it a bath that morning and forgotten all about it."),
                entry("under the apple tree", why="It had been waiting there since the picnic."),
                entry("in the dog's bed", why="The dog was asleep beside it, wagging its tail in a dream."),
                entry("in {his} own backpack", why="It had been with {him} the whole time!{+Twist}"),
            ),
        },
        summary="{Hero} [loses|cannot find] {his} {toy}, but {his} {parent} helps {him} look for it[ and they find it {spot}|].",
        story="""
        <once> {Hero} had a {color} {toy}, and {he} loved it [more than anything|with all {his} heart|very much]. [{He} took it
        everywhere, even to breakfast.|Every night it lay next to {his} pillow.|It was a present from {his} [aunt|uncle|cousin].|]

        <One_day>, the {toy} was gone. [{Hero} looked on the shelf and behind the door, but it was not there.|{Hero} looked up and down
        the stairs. No {toy}!|{Hero} shook out the blankets, but nothing fell out.] {He} began to [cry|sniff|worry].

        "[I have lost my {toy}|My {toy} is gone|I can't find my {toy} anywhere]!" {he} [said|cried|sobbed].

        "[Don't worry|Dry your tears|Take a deep breath]," said {his} {parent}. "[Where did you play with it last?|Let us look
        together.|Things do not just fly away. We will find it.]"

        [They looked in the toy chest. They looked under the rug. They even looked in the oven!|They searched the kitchen and the hall.
        They found two buttons, a spoon and an old [cracker|mitten|crayon], but no {toy}.|They walked slowly through the whole house and
        peeked into every corner.] <at_last>, {hero} looked {spot}. There was the {toy}! {spot.why}

        [{Hero} hugged it tight.|{Hero} jumped for joy.|{Hero} held it up and danced around the room.] "Thank you for helping me[,
        {parent}|]!" {he} said. [{+MoralValue}From then on, {he} always put the {toy} back [on its shelf|in its place] before bed.|That
        night {hero} and the {toy} slept side by side.|{His} {parent} <smiled>. "Two pairs of eyes see more than one," {his} {parent}
        said.] <the_end>
        """,
    ),
    plot(
        "lost_at_the_market",
        cast={
            "hero": CHILD,
            "parent": ("mom", "dad", "grandma", "grandpa"),
            "place": (
                entry("market", sight="a table full of [shiny bells|glass beads|little wooden birds]"),
                entry("zoo", sight="a baby monkey that was [eating a banana|swinging by its tail]"),
                entry("fair", sight="a clown who could [juggle five eggs|walk on his hands]"),
                entry("museum", sight="the bones of a huge dinosaur"),
                entry("train station", sight="an old steam engine, black and shiny"),
                entry("toy store", sight="a tower of [bright blocks|tiny trains] that reached the ceiling"),
            ),
            "helper": (
                "a kind guard",
                "a woman with a basket",
                "an old man with a cane",
                "a nurse",
                "a young man with a beard",
                "a baker in a white hat",
            ),
        },
        summary="{Hero} gets lost at the {place}, remembers to stay in one place, and {his} {parent} finds {him}.",
        story="""
        [<once>|] <One_day>, {hero} went to the {place} with {his} {parent}. [It was crowded and noisy there.|There were people
        everywhere.|{Hero} had never seen so many people.] "{+Foreshadowing}If we ever lose each other, [stop and stay where you are|stand
        still and do not wander]," said {his} {parent}. "Then I will find you."

        {Hero} nodded, but {he} was hardly listening. {He} had seen {place.sight}. {He} let go of the hand {he} was holding and ran to
        look[ closer|]. When {he} turned around, {his} {parent} was gone!

        {Hero} saw only [strange legs and strange coats|strangers]. {His} [lip began to shake|heart beat fast|eyes filled with tears].
        {He} wanted to run and search. Then {he} remembered the rule. {He} [sat down on a bench|stood next to a big post|held on to a
        railing] and did not move. [{He} counted to ten, and then to ten again.|{He} sang a little song to feel brave.|It was hard to
        wait.] After a minute, {helper} stopped and asked, "Are you lost[, little one|, my dear|]?"

        "[No|Not really]," said {hero}. "I am staying where I am, so that my {parent} can find me." And just then a voice called, "{Hero}!
        There you are!" [They hugged for a long time.|{Hero} ran into a big, warm hug.] "{+MoralValue}You remembered what to do," said
        {his} {parent}. "[I am proud of you|That was very smart|Well done]." For the rest of the day, {hero} held on to that hand [and did
        not let go|tightly].
        """,
    ),
    plot(
        "someone_elses_pet",
        cast={
            "hero": CHILD,
            "owner": NEIGHBOR,
            "pet": PUPPY_OR_KITTEN,
            "parent": PARENT,
            "found": ("under a bush", "behind the bus stop", "by the fence", "under a parked car", "next to the pond", "on the front steps"),
        },
        summary="{Hero} finds a lost {pet.kind} and wants to keep it, but takes it back to {owner} instead.",
        story="""
        <once> <One_day>, {hero} heard a soft, [sad|thin|tiny] cry. {He} looked around and found a [small|gray|fluffy|wet|spotted]
        {pet.kind} {found}. It was [shivering|all alone|hungry and tired].

        "[Oh, you poor thing|Hello, little one]!" said {hero}. {He} wrapped the {pet.kind} in {his} [scarf|jacket|sweater] and carried it
        home. {He} gave it [some water and a piece of chicken|a bowl of water and a soft towel]. Soon it was [asleep in {his} lap|licking
        {his} hand]. "[Can I keep it? Please?|May it live with us?]" {he} asked.

        {His} {parent} [looked at the little animal|thought for a moment]. "It has a collar," said {his} {parent}. "See, it says '{pet}'.
        {Pet} has a home, and somebody [there|] must be [sad|worried]." {+Conflict}{Hero} [did not want to hear that|frowned]. {He} wanted
        to keep {pet} [so much|forever]. But then {he} thought [of how {he} would feel|about being lost and far from home], and {he}
        nodded.

        They [walked from door to door|asked up and down the street] until they came to {owner}'s house. "{Pet}! You are back!"
        [cried|called] {owner}, and {owner.he} laughed and wept at the same time. "[Thank you|How can I thank you], {hero}! You may come
        and play with {pet} whenever you like."

        {+MoralValue}So {hero} did not get a {pet.kind} that day. {He} got two new friends instead. [It felt even better.|And {he} knew
        {he} had done the right thing.|]
        """,
    ),
    plot(
        "missing_mitten",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": ("red", "blue", "green", "yellow", "striped", "purple", "woolly white"),
            "thing": ("mitten", "wool hat", "scarf", "wool cap"),
            "creature": (
                entry("mouse", nest="with four pink babies", where="behind the woodpile"),
                entry("robin", nest="with three blue eggs", where="on a low branch"),
                entry("squirrel", nest="curled up like a ball", where="in a hollow tree"),
                entry("hedgehog", nest="fast asleep for the winter", where="under the hedge"),
            ),
        },
        summary="{Hero} loses a {thing} and discovers that a {creature} has made a home in it.",
        story="""
        <once> {Hero} had a {color} {thing} that {his} {parent} had knitted, and {he} wore it every day.

        <One_day>, when {hero} [came in from the garden|came home from the yard], the {thing} was missing. "[Oh no|Dear me]!" {he} said.
        "It was so warm!" {He} went out again and followed {his} own footprints. {He} looked [by the gate and under the bench|around the
        swing and behind the shed]. There was no {thing}.

        Then {hero} saw [a thread of wool|a bit of {color} wool] on the ground. A little farther there was another one, and then another.
        {He} followed them step by step. The trail ended {creature.where}. There was the {thing}, and inside it was a {creature},
        {creature.nest}!

        {Hero} [held {his} breath|stood very still]. {He} could have taken the {thing} back. But it looked so [cozy|soft and snug] in
        there. "{+Twist}[You need it more than I do|Keep it, little friend|It is your house now]," {he} whispered, and [tiptoed away|went
        away as quietly as a cat].

        When {his} {parent} heard the story, {his} {parent} [laughed|smiled] and reached for the [yarn|ball of wool]. "Then I had better
        knit a new one," {hero} heard, "and this time I will make two[, just in case|]." [{Hero} visited the little home every day, but
        only from far away.|{Hero} was cold that day, but happy inside.|]
        """,
    ),
    plot(
        "grandparents_glasses",
        cast={
            "hero": CHILD,
            "elder": (entry("grandma", he="she", him="her", his="her"), entry("grandpa", he="he", him="him", his="his")),
            "thing": ("glasses",),
            "job": (
                "read the newspaper",
                "read a story",
                "thread a needle",
                "look at the old photographs",
                "write a letter",
                "do the puzzle",
                "fix the clock",
                "read the recipe",
            ),
            "wrong": ("a comb", "two coins", "a lost button", "a dried pea", "a red pencil", "a chess piece", "a peppermint"),
        },
        summary="{Hero} helps {his} {elder} look for some lost glasses, which turn out to be in a very funny place.",
        story="""
        <once> <One_day>, {hero} was visiting {his} {elder}. [They were going to have cocoa by the fire.|Rain was falling outside, and it
        was warm inside.|] {His} {elder} wanted to {job}. "But where are my glasses?" {his} {elder} asked. "I can't see a thing without
        them!"

        "[I will find them|Let me look|I am a good finder]!" said {hero}. {He} [looked on the table and in the sewing box|crawled under
        the armchair]. {He} found {wrong}, but no glasses. {He} looked [in the bread box|between the cushions|behind the flowerpots]. {He}
        [even looked|looked even] in [the teapot|the birdcage|the refrigerator|the piano]. No glasses there!

        {Hero} sat down to think. {He} looked at the floor. {He} looked at the [lamp|ceiling]. Then {he} looked at {his} {elder}, and {he}
        began to [giggle|laugh]. {He} laughed so hard that [{he} had to hold {his} tummy|{he} fell off the chair].

        "[What is so funny?|Why are you laughing?]" asked {his} {elder}.

        "{+Twist}They are on top of your head!" [said|shouted|giggled] {hero}. And so they were[, hidden in all that white hair|]! {His}
        {elder} laughed too. "[What would I do without you?|I must be getting old!|My head is the best place to lose things!]" Then they
        sat down, side by side, to {job} together.
        """,
    ),
    plot(
        "found_purse",
        cast={
            "hero": CHILD,
            "owner": NEIGHBOR,
            "thing": ("purse", "wallet", "pouch"),
            "where": ("on the sidewalk", "under a bench in the park", "in front of the bakery", "by the bus stop", "in the long grass"),
            "wish": ("a new kite", "a toy boat", "a big bag of candy", "a shiny whistle", "a jump rope", "a box of crayons", "a real drum"),
            "cake": CAKE,
        },
        summary="{Hero} finds a {thing} full of money and gives it back to {owner}.",
        story="""
        <once> [{Hero} was saving {his} coins for {wish}, but {his} jar was nearly empty.|More than anything, {hero} wished for {wish}.]

        <One_day>, {hero} found a [black|brown|little leather|green] {thing} {where}. {He} opened it. It was full of money! "[Wow|Oh my],"
        {he} whispered. "With this I could buy {wish}!"

        {+Conflict}{Hero} [looked left and right. Nobody was watching.|put it in {his} pocket and walked on.] But with every step the
        {thing} felt heavier. "It is not mine," {he} thought. "[Someone is looking for it right now|Someone must miss it very much]."

        [So {he} turned around.|{Hero} stopped.] Not far away stood {owner}, who was looking [behind every bush|all over the ground] and
        [sighing|shaking {owner.his} head]. "Did you lose this?" asked {hero}. {He} held out the {thing}.

        "[My {thing}|There it is]!" {owner.he} [cried|said]. "[All my money for the month is in there|I thought it was gone forever]. You
        are an honest {hero.child}." {owner} took {hero} by the hand and invited {him} in for {cake}.

        {+MoralValue}{Hero} did not get {wish} that day. But {he} felt [light as a feather|warm inside|ten feet tall], and the {cake} was
        the best {he} had ever tasted. <the_end>
        """,
    ),
    plot(
        "balloon_flies_away",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": ("red", "blue", "yellow", "green", "pink", "silver", "purple"),
            "shape": ("balloon", "balloon", "star balloon", "balloon with a smiling face", "balloon shaped like a fish"),
            "tree": TREE,
        },
        summary="{Hero} lets go of {his} balloon and [watches it fly away|loses it to the wind].",
        story="""
        [<once>|] At the [fair|parade|street market|circus], {his} {parent} bought {hero} a {color} {shape}. [It bobbed above {his} head
        like a little sun.|It pulled at its string as if it wanted to dance.] "{+Foreshadowing}Hold it tight," said {his} {parent}. "[The
        wind is strong today.|Balloons love to fly.]"

        {Hero} held the string in {his} fist. {He} ran and hopped, and the balloon hopped too. [Then {he} saw a pony and waved to it.|Then
        an ice cream cart came by, and {he} reached out for a cone.|Then {his} nose itched, and {he} scratched it.] Oh no! The string
        slipped out of {his} hand.

        "[Come back|Stop|Wait]!" {hero} <cried_out>. {He} jumped as high as {he} could. {He} ran after it to the {tree}. But the balloon
        rose over the roofs, [higher and higher|smaller and smaller], until it was only a dot. {Hero} [sobbed|stamped {his} foot|sat down
        on the ground and cried].

        [{His} {parent} did not buy another one. {+BadEnding}{Hero} walked home with empty hands, and {he} was sad all evening.
        {+MoralValue}Next time, {he} thought, {he} would hold on with both hands.|{His} {parent} sat down beside {him}. "Maybe it is off
        to see the world," {his} {parent} said. "[What will it see?|Where do you think it will go?]" {Hero} wiped {his} eyes and thought.
        "First the sea," {he} said slowly. "Then [the whales|the penguins]. Then the moon!" All the way home they made up stories about
        the [brave|little] balloon, and {hero} was not sad anymore.]
        """,
    ),
    plot(
        "runaway_hat",
        cast={
            "hero": CHILD,
            "friend": NEIGHBOR,
            "hat": ("straw hat", "sun hat", "top hat", "felt hat", "green hat", "hat with a feather"),
            "first": ("around the corner", "across the street", "past the bakery", "along the river", "down the hill"),
            "landed": (
                entry("on the head of a statue", how="climbed up on the stone steps"),
                entry("on a goat's horns", how="walked up to the goat very slowly"),
                entry("in a fountain", how="rolled up {his} sleeves"),
                entry("on a scarecrow", how="stood on an old bucket"),
                entry("on a snoring dog", how="tiptoed closer and closer"),
            ),
        },
        summary="The wind steals {friend}'s hat, and {hero} chases it until it lands {landed}.",
        story="""
        [<once>|] It was a [windy|blustery|wild autumn] day. {Friend} was walking down the [street|lane] in {friend.his} best {hat}.
        Whoosh! A gust of wind [grabbed|snatched] it and blew it away. "[My hat|Stop that hat|Catch it]!" {friend.he} [cried|called].

        {Hero} was [playing with marbles|skipping rope|sitting on the steps] nearby. "I will [get|catch] it!" {he} shouted, and {he} began
        to run. The hat flew {first}. {Hero} ran {first} too. The hat [rolled like a wheel|spun like a top|hopped like a rabbit]. {Hero}
        stretched out {his} hand. [Almost!|So close!] But the wind [laughed|puffed] and blew the hat away again.

        <at_last>, the hat landed {landed}. It looked so [funny|silly] that {hero} had to giggle. {He} {landed.how}, reached out, and
        [took|picked up] the hat. [It was dusty, but it was whole.|It had only one small dent.]

        {Hero} ran all the way back. "Here is your hat," {he} [puffed|panted]. "[It went on a trip|It wanted to see the world]."

        {Friend} laughed and thanked {him}. [Then {friend.he} put the hat on {hero}'s head. It came down to {his} chin. "When you grow
        into it, it is yours," {friend.he} said.|The next day, {friend.he} came by with a long ribbon on the hat. "Now it is tied on,"
        {friend.he} said, "and this is for you." It was [a bag of nuts|a jar of honey|a lemon drop|a little kite].]
        """,
    ),
)
