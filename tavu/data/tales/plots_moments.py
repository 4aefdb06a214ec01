"""Plots of small moments: the shortest tales."""

from tavu.data.tales.lexicon import BIRD, CHILD, COLOR, FLOWER, NEIGHBOR, PARENT, PUPPY_OR_KITTEN, TREE, WOODLAND, animals, entry
from tavu.data.tales.plot import plot

MOMENTS = (
    plot(
        "letting_go",
        cast={
            "hero": CHILD,
            "bug": ("ladybug", "beetle", "butterfly", "grasshopper", "cricket", "firefly", "tadpole", "little crab"),
            "parent": PARENT,
            "jar": ("jar", "glass", "box", "bucket"),
        },
        summary="{Hero} catches a {bug} and then sets it free.",
        story="""
        <once> <One_fine_day>, {hero} caught a {bug} and put it in a {jar}. "[You are mine now|I will keep you forever]," {he} said. {He}
        [watched it all day|gave it a leaf and showed it to everyone].

        In the evening the {bug} sat in the corner and [did not move|hung its head]. "Why is it [so sad|so still]?" asked {hero}.
        "[Perhaps it does not like to live in a {jar}|Maybe it misses its family]," said {his} {parent}.

        {Hero} thought about that[ for a long time|]. Then {he} carried the {jar} to the place where {he} had found the {bug}, and [took
        off the lid|turned it on its side]. The {bug} [waited a moment|looked left and right], and off it went! {Hero} was [a little
        sad|sad for a moment], but {+MoralValue}[when {he} saw how happy it was, {he} was happy too|it felt good to be kind].
        """,
    ),
    plot(
        "the_echo",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "place": ("in the mountains", "at the edge of a deep valley", "in front of a big cave", "under a stone bridge"),
        },
        summary="{Hero} shouts {place} and meets {his} own echo.",
        story="""
        [<once>|] <One_day>, {hero} stood {place} with {his} {parent}. "Hello!" {he} shouted. "Hello!" came a voice. {Hero} looked
        around[, but there was nobody|]. "Who are you?" {he} called. "Who are you?" the voice called back.

        {+Conflict}That made {hero} [angry|cross]. "[You are silly!" {he} yelled. "Silly!"|Go away!" {he} yelled. "Away!"|Stop that!" {he}
        yelled. "That!"] said the voice. {Hero} stamped {his} foot and turned to {his} {parent}. "[There is a rude {hero.child} over
        there|Somebody is making fun of me]," {he} said.

        "[Try to be nice|Say something kind]," said {his} {parent}[ with a smile|]. {Hero} did not believe that it would help. But {he}
        [cupped {his} hands and|took a deep breath and] called, "You are my friend!" And from far away, soft and clear, the voice said,
        "{+Twist}My friend!" [{+MoralValue}What you send out comes back to you.|{+MoralValue}{Hero} waved, and {he} was sure that somebody
        waved back.|]
        """,
    ),
    plot(
        "first_snow",
        cast={
            "hero": WOODLAND,
            "friend": BIRD,
            "guess": (
                entry("feathers", why="a great goose must be shaking its wings"),
                entry("sugar", why="somebody up there is baking"),
                entry("flowers", why="the clouds must be in bloom"),
                entry("tiny stars", why="the sky is coming down"),
            ),
        },
        summary="{Hero} the {hero.kind} sees snow for the first time.",
        story="""
        {Hero} the little {hero.kind} [peeked|looked] out one [morning|evening], and something white fell on {his} nose. {He} jumped back.
        "[Help|Oh my], {guess}!" {he} cried. "{Guess} are falling out of the sky! I think {guess.why}!"

        {Friend} the {friend.kind} [laughed|shook {friend.his} wings]. "[Taste one|Stick out your tongue]," said {friend}. {Hero} did. It
        was cold, and then it was gone. "[It turned to water|It has disappeared]!" {he} said. "{+Twist}That is snow," said {friend}. "[It
        comes every winter|It is rain in its best coat]."

        {Hero} put one paw into it, and then another. [It squeaked.|It was softer than moss.] {He} [ran in a circle|rolled down the bank],
        and when {he} looked back, {he} saw {his} own tracks. "[Look, I wrote something|Look, I can write]!" {hero} said. They [played
        until the stars came out|danced together until they were tired], and in the morning everything was [as smooth as|like] a new sheet
        of paper.
        """,
    ),
    plot(
        "one_flower",
        cast={
            "hero": CHILD,
            "flower": FLOWER,
            "owner": NEIGHBOR,
            "why": ("had a broken leg", "was always cross", "had lost {owner.his} cat", "never left the house", "hardly ever laughed"),
        },
        summary="{Hero} brings a single {flower} to {owner} and makes {owner.him} happy.",
        story="""
        <once> On the way home from school, {hero} found a {flower} growing [between two stones|at the side of the road]. It was the
        [first|only] one of the year. [{He} wanted to put it in {his} own room.|It smelled of spring.]

        Then {he} passed the house of {owner}, who {why}. The curtains were closed. {Hero} [stopped|stood at the gate and thought]. {He}
        [knocked softly|rang the bell]. For a long time nothing happened. Then the door opened a crack. "[What do you want?|Who is
        there?]" asked {owner}. {Hero} [held out the {flower}|did not know what to say, so {he} held out the {flower}].

        {Owner} looked at it, and {owner.his} face changed. "[For me?|Is it spring already?]" {owner.he} asked. {+MoralValue}The next day,
        the curtains were open, and the {flower} stood [in the window|on the sill] in a [little|blue] glass, where everyone could see it.
        """,
    ),
    plot(
        "the_race_home",
        cast={
            "hero": CHILD,
            "pet": PUPPY_OR_KITTEN,
            "weather": ("rain", "snow", "hail"),
            "place": ("meadow", "woods", "park", "orchard", "field"),
        },
        summary="{Hero} and {his} {pet.kind} {pet} race home before a storm.",
        story="""
        {Hero} and {his} {pet.kind} {pet} were playing in the {place}. [They rolled in the grass.|They chased a leaf.] {+Foreshadowing}Far
        away, the sky [grumbled|turned purple]. {Pet} [pricked up {pet.his} ears|pulled at {hero}'s sleeve], but {hero} did not
        [notice|want to go]. "[Just a little longer|One more game]," {he} said.

        Then came a gust of wind, and a big cold drop fell on {hero}'s nose. "[Run|Home]!" {he} shouted. They ran past the [barn|pond].
        They ran under the [old bridge|tall trees]. {Pet} was in front, then {hero}, then {pet} again. [Behind them|Just behind them] came
        the {weather}, [faster and faster|rushing over the fields].

        With one last jump they were [through the door|in the hall], and bang, {hero} shut it. "[We won|We beat the {weather}]!" {he}
        panted. {Pet} shook {pet.himself} from nose to tail. {+Twist}Now {hero} was wet after all! [They both laughed, each in their own
        way.|"Thank you very much," said {hero}, and laughed.]
        """,
    ),
    plot(
        "the_best_apple",
        cast={
            "hero": CHILD,
            "fruit": (
                entry("apple", many="apples"),
                entry("pear", many="pears"),
                entry("peach", many="peaches"),
                entry("plum", many="plums"),
                entry("orange", many="oranges"),
            ),
            "tree_word": ("top of the tree", "very highest branch"),
            "elder": ("grandma", "grandpa"),
            "tool": ("a ladder", "a long pole", "a rope", "a fishing net on a stick"),
        },
        summary="{Hero} wants the {fruit} at the {tree_word}, which is not as good as it looks.",
        story="""
        <once> In the garden of {hero}'s {elder} stood a tree full of {fruit.many}. The biggest one hung at the {tree_word}. "[I want that
        one|That must be the sweetest of all]," said {hero}. "[These down here are good|They all taste the same]," said {his} {elder}.

        But {hero} did not listen. {He} got {tool}. {He} [climbed and stretched|scratched {his} knees and tore {his} shirt].
        {+Foreshadowing}[A bird laughed at {him}.|A wasp buzzed around {his} head.] At last {he} had the {fruit} in {his} hand! {He} took
        a big bite, and {+Twist}[there was a worm in it|it was as sour as vinegar]!

        {Hero} made a face and climbed down. {His} {elder} was sitting on the bench, with a [bowl|basket] full of {fruit.many} from the
        lowest branch. "[Try one of these|Here, have one]," {hero} heard. {Hero} did. It was [sweet|soft and sweet] and full of juice.
        {+MoralValue}"[The best one was right in front of my nose|Next time I will look down before I look up]," {he} said.
        """,
    ),
    plot(
        "goodnight_star",
        cast={
            "hero": animals("bear cub", "lamb", "owlet", "kitten", "fawn", "piglet", "foal", "bunny"),
            "light": (
                entry("a star", the="the star"),
                entry("the moon", the="the moon"),
                entry("a firefly", the="the firefly"),
                entry("a lantern on a far hill", the="the lantern"),
            ),
        },
        summary="{Hero} the {hero.kind} does not want to sleep because {he} might miss something.",
        story="""
        {Hero} the {hero.kind} did not want to go to sleep. "[What if something happens, and I miss it?|Things happen at night, and I want
        to see them all,]" {he} said. {His} mother [lay down beside {him}|licked {his} ear]. "Then we will watch together," she said.

        They watched. [A leaf fell.|A moth flew by.] The grass [whispered|nodded]. Far away, {light} was shining. "[What is it doing?|Is
        it awake, too?]" asked {hero}. "It is keeping watch," said {his} mother, "so that [little ones can sleep|you do not have to]. In
        the morning it will tell the sun everything, and the sun will tell you."

        "[Everything?|Even the small things?]" asked {hero}[ with a yawn|]. "[Every bit of it|Even those]," said {his} mother.
        {+Twist}{Hero} wanted to ask one more question. But {he} was asleep before {he} could think of it. [And {light.the} kept
        watch.|Nothing happened all night long. It was lovely.]
        """,
    ),
    plot(
        "the_whistle",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "color": COLOR,
            "thing": (
                entry("whistle", sound="Tweet, tweet"),
                entry("trumpet", sound="Toot, toot"),
                entry("horn", sound="Honk"),
                entry("bell", sound="Ding, ding"),
                entry("rattle", sound="Rattle, rattle"),
                entry("toy drum", sound="Rat-a-tat"),
            ),
            "where": ("in the kitchen", "on the stairs", "in the bath", "in the yard"),
        },
        summary="{Hero} will not stop making noise with {his} {thing}, and then {he} needs some quiet {himself}.",
        story="""
        <once> {Hero} got a {color} {thing}, and {he} played it from morning to night. {He} played it at breakfast. {He} played it
        {where}. "[Please stop|My ears hurt]!" said {his} {friend.sibling} {friend}. {+Conflict}{Hero} only played it louder.

        Then {hero} got a [cold|fever] and had to lie in bed. {His} head [hurt|was hot and heavy]. {He} wanted to sleep. And what did {he}
        hear? {thing.sound}! {Friend} had found the {thing}! "[Please stop|My head hurts]!" called {hero}. {Friend} came in. "[Now you
        know|So that is how it sounds to others]," {friend.he} said. But {friend.he} put it [down|away] at once, and {friend.he} brought
        {him} a cup of tea.

        {+MoralValue}When {hero} was well again, {he} still played the {thing}. But {he} did it outside, behind the [shed|garage], [for
        one hour a day|and never before breakfast]. And {he} asked {friend} to [sing along|dance to it].
        """,
    ),
    plot(
        "lost_in_a_book",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "world": (
                entry("a jungle", at="in the jungle", what="tigers looked out between the leaves", souvenir="a green leaf"),
                entry("the deep sea", at="at the bottom of the sea", what="an octopus was playing the piano", souvenir="a small pink shell"),
                entry("the North Pole", at="at the North Pole", what="the bears were skating", souvenir="a bit of snow"),
                entry("the desert", at="in the desert", what="camels walked in a long row", souvenir="a handful of sand"),
                entry("an old castle", at="in an old castle", what="a knight was looking for his left boot", souvenir="a tiny golden key"),
            ),
        },
        summary="{Hero} reads a book about {world} and is so deep in it that {he} forgets everything else.",
        story="""
        [<once>|] It was raining, and {hero} was bored. "[You could read a book|There is a whole shelf of books]," said {his} {parent}.
        {Hero} [sighed|groaned] and took the [first|thickest|oldest] one. It was about {world}. {He} read one page, and then another.

        The rain grew [quiet|faint]. The room [became dim|faded away]. {Hero} was {world.at}! All around {him}, {world.what}. {He} [walked
        on and on|saw one wonder after another]. [Nobody was surprised to see {him}.|{He} was not afraid at all.] From far away, a voice
        called, "{Hero}! {Hero}!"

        {He} blinked. There was the room, and there was {his} {parent}. "[I called you five times|Dinner is getting cold]!" said {his}
        {parent}. "[Where have you been?|You were far away.]" {Hero} [smiled|rubbed {his} eyes]. "{World.at}," {he} said. {He} closed the
        book, and {+Twist}something fell out of {his} sleeve. It was {world.souvenir}.
        """,
    ),
    plot(
        "growing_up",
        cast={
            "hero": CHILD,
            "elder": ("grandma", "grandpa"),
            "tree": TREE,
            "thing": ("coat", "sweater", "jacket", "raincoat", "nightshirt"),
            "little": ("the neighbor's baby", "{his} little cousin", "{his} teddy bear", "the scarecrow"),
        },
        summary="{Hero} is sad to be small, until {he} sees that {he} has grown.",
        story="""
        <once> {Hero} wanted to be big. {He} could not reach the [light switch|cookie jar]. {He} could not see over the [wall|counter].
        "[When will I be big?|Why am I so small?]" {he} asked. "[You are growing every day|Trees grow slowly, too]," said {his} {elder}.
        "You just can't see it."

        {Hero} stood in front of the mirror and [waited|stared]. {He} did not see anything grow. [{He} stood in the rain like a flower. It
        only made {him} wet.|{He} ate three bowls of oatmeal. It only made {him} full.] {+Foreshadowing}{His} {elder} made a mark on the
        {tree} and said, "[Wait and see|Have patience]."

        Winter came and went. In spring {hero} put on {his} favorite {thing}, and {+Twist}it did not fit! It was much too [short|tight].
        {He} ran to the {tree} and stood against it. The mark was below {his} [nose|ear]! "[I have grown|I am big]!" {he} <cried_out>.
        {Hero} [gave the {thing} to|put the {thing} on] {little}. {+MoralValue}"[You will grow|Be patient]," {he} said[ kindly|], "you
        just can't see it."
        """,
    ),
)
