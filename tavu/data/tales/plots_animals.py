"""Plots of little animals who talk, growing up and finding friends."""

from tavu.data.tales.lexicon import BIRD, COLOR, animals, entry
from tavu.data.tales.plot import plot

DUCKLING = animals("duckling", "gosling", "cygnet")

ANIMALS = (
    plot(
        "learning_to_fly",
        cast={
            "hero": BIRD,
            "wait": ("The branch swayed", "The wind ruffled {his} feathers", "The ground was very far down"),
            "food": ("a fat worm", "a ripe cherry", "a green caterpillar", "a juicy berry"),
        },
        summary="{Hero}, a little {hero.kind}, does not dare to fly until {he} forgets to be afraid.",
        story="""
        High up in [a birch|an oak|a tall pine|an old elm] lived a little {hero.kind} named {hero}. {His} brothers and sisters had all
        learned to fly. Only {hero} still sat in the nest. "[Come on|Just spread your wings]!" they called. But {hero} looked down, and
        {his} head began to spin. {wait}.

        "[I can't|My wings are too short]," said {hero}. {His} mother did not [push|scold] {him}. "[You will know when it is time|Your
        wings know how]," she said.

        <One_day>, {hero} was alone in the nest. Below, on the lowest branch, {his} smallest sister was [resting|asleep], and a cat came
        creeping through the grass! [It lifted one paw, and then another.|Its eyes were green and cold.] "Look out!" cried {hero}. But
        {his} sister did not hear.

        {Hero} did not think. {He} jumped! The air [caught|held] {him}. {He} flapped and [screeched|shrieked] and flew straight past the
        nose of the cat. The cat was so surprised that it [tumbled over|ran up a fence]. {His} sister was safe.

        "{+Twist}{Hero}," she said, "you are flying!" {Hero} looked down, and {he} was not dizzy at all. That evening {his} mother gave
        {him} {food}. {+MoralValue}"[You were brave for someone else|Courage gave you wings]," she said.
        """,
    ),
    plot(
        "the_duckling_swims",
        cast={
            "hero": DUCKLING,
            "place": ("pond", "lake", "river"),
            "float": ("a lily pad", "a piece of bark", "an old shoe", "a floating log", "a green bottle"),
        },
        summary="{Hero} the {hero.kind} is afraid of the water until {he} slips in by accident.",
        story="""
        At the edge of a [quiet|green|still] {place} lived a {hero.kind} named {hero}. All {his} brothers could swim. {Hero} could not,
        because {he} would not try. "The water is [cold|wet|too deep]," {he} said. So {he} [sat on the bank|walked along the shore] while
        the others played.

        "[Are you not bored?|Don't you want to come in?]" asked [a frog|a water rat|an old carp|a dragonfly]. "[No|Not at all]," said
        {hero}. But {he} was. So {he} climbed onto {float} to have a closer look. [It rocked|It wobbled]. It drifted out, farther and
        farther from the shore. "Help!" called {hero}.

        Then it tipped over. Splash! {Hero} was in the water. {He} kicked. {He} paddled. {His} feet [did it all by themselves|seemed to
        know what to do]. [Left, right, left, right.|Paddle, paddle, paddle.] "{+Twist}I am [swimming|not sinking]!" {he} said in
        surprise.

        {He} swam [in a circle|all the way back]. {He} [stuck {his} head under the water and saw silver fish|made waves and splashed {his}
        brothers]. When {his} mother called everyone for supper, {hero} was the last one to [come out|leave the water]. "[Just one more
        round|It is not cold at all]!" {he} said.
        """,
    ),
    plot(
        "hug_a_hedgehog",
        cast={
            "hero": animals("hedgehog", "porcupine"),
            "friend": animals("rabbit", "mole", "mouse", "badger", "toad"),
            "color": COLOR,
            "idea": (
                entry("an acorn cap for every spike", looks="like a little round tree"),
                entry("a thick wool blanket", looks="like a pudding"),
                entry("a coat of soft moss", looks="like a green pillow"),
                entry("a berry for every spike", looks="like a birthday cake"),
                entry("a pile of autumn leaves", looks="like a bush with a nose"),
            ),
        },
        summary="Nobody wants to hug {hero} the {hero.kind}, until {friend} finds a way.",
        story="""
        <once_animal> {He} was [kind|friendly] and funny, but {he} had one sorrow. Nobody ever hugged {him}. "[You are too prickly|Ouch]!"
        said the [squirrel|fox cub]. "[Another time|Please stay over there]," said the [deer|woodpecker]. So {hero} [hugged a stone
        instead|rolled up into a ball], but [it was cold|that was lonely].

        {Friend} the {friend.kind} saw it. "[Why do you look so sad?|What is the matter?]" {friend.he} asked. {Hero} told {friend.him}.
        {Friend} walked around {him} once, and then once again. "[Hm|Aha]," {friend.he} said. "[Wait here|Don't move]!"

        When {friend} came back, {friend.he} had brought what was needed: {idea}. Soon {hero} looked {idea.looks}. "[Are you
        ready|Ready]?" asked {friend}, and {friend.he} put both arms around {him}. It [did not hurt at all|was soft and warm].
        {+Twist}{Hero} [closed {his} eyes|cried a little, because {he} was so happy].

        "[So that is what a hug feels like|It is even better than I thought]," said {hero}. Then the others [came running|stood in line].
        "[Me too|Now me]!" they called. [{+MoralValue}For a good friend, there is always a way.|{+MoralValue}Where there is love, there is
        a way.|]
        """,
    ),
    plot(
        "face_in_the_water",
        cast={
            "hero": animals("puppy", "bear cub", "fox cub", "wolf cub"),
            "water": (
                entry("a puddle", where="across the yard", feel="Splash! It was wet"),
                entry("the pond", where="through the garden", feel="Splash! It was cold and wet"),
                entry("a bucket of water", where="across the yard", feel="Oh! It was wet"),
                entry("a puddle of melted snow", where="along the path", feel="Oh! It was cold"),
                entry("a frozen pond", where="over the snow", feel="Bump! It was hard and cold"),
                entry("a big piece of glass", where="behind the farm", feel="Bump! It was hard and smooth"),
            ),
            "treasure": ("bone", "red ball", "stick", "blue ribbon", "slipper"),
        },
        summary="{Hero} the {hero.kind} meets a stranger who turns out to be {his} own reflection.",
        story="""
        {Hero} was a [small|fluffy|bouncy|curious] {hero.kind} with [white paws|one black ear|a crooked tail|a pink nose]. <One_day>, {he}
        was carrying {his} {treasure} {water.where} when {he} came to {water}. {Hero} looked and [stopped|froze]. A strange {hero.kind}
        was looking back at {him}! And it had a {treasure} too!

        "[Who are you?|What are you doing here?]" asked {hero}. The stranger opened its mouth at the same time, but it made no sound.
        {Hero} [showed {his} teeth|growled a little]. So did the stranger! "[That is rude|I was here first]," said {hero}.

        {Hero} [thought for a moment|sat down]. Maybe the other one was afraid, just like {him}. So {he} put the {treasure} down and
        wagged {his} tail. The stranger wagged its tail as well! "{+Twist}[It likes me|It wants to be friends]!" {he} said happily. {He}
        leaned forward to touch its nose. {water.feel}.

        {His} mother laughed. "Silly, that is you!" she said. {Hero} looked again. "[Then I have a very nice face|I am glad that I like
        me]," said {hero}. [{+MoralValue}If you smile at the world, it smiles back.|{+MoralValue}Be friendly first, and see what
        happens.|] {He} picked up the {treasure} and trotted off.
        """,
    ),
    plot(
        "lost_light",
        cast={
            "hero": animals("firefly", "glowworm"),
            "friend": animals("moth", "cricket", "mouse", "bat"),
            "lost": (
                entry("a baby mouse", where="in the tall grass"),
                entry("a young frog", where="among the roots"),
                entry("a little toad", where="at the bottom of a flowerpot"),
                entry("a ladybug", where="inside a rolled-up leaf"),
            ),
        },
        summary="{Hero} the {hero.kind} thinks {his} light is too small to matter, until {lost} gets lost in the dark.",
        story="""
        Among the reeds lived a {hero.kind} named {hero}. Every night {he} looked up at the sky. "[The stars are so bright|The moon is so
        big]," {he} sighed, "and my light is so small. What good is it?"

        {+Foreshadowing}"[Every light is good for something|You will see]," said {friend} the {friend.kind}.

        One night, thick clouds covered [the moon and the stars|the whole sky]. It was as black as [coal|a pocket]. Then {friend} heard a
        thin voice crying. {Lost} was lost {lost.where}! "[Where are you?|We can't see you!]" called {friend}. [The moon could not help.
        The stars could not help.|Nobody could see a thing.]

        {Hero} took a deep breath and shone as [bright|hard] as {he} could. It was only a [tiny green|small golden] glow, but in all that
        darkness [everyone could see it|it was like a lamp]. "Come to my light!" {he} called. [Step by step|Slowly], the little lost one
        came closer, and {hero} led the way home.

        "{+MoralValue}[You were our star tonight|A small light is a big thing in the dark]," said {friend}. {Hero} glowed a little
        [pink|brighter], and {he} never again wished to be [the moon|a star].
        """,
    ),
    plot(
        "the_moving_house",
        cast={
            "hero": animals("snail", "hermit crab", "turtle"),
            "color": COLOR,
            "home": (
                entry("a teapot", bad="It was so dark and echoed so loudly that {he} could not sleep"),
                entry("a flowerpot", bad="The rain came in through the hole"),
                entry("a boot", bad="It smelled of feet"),
                entry("a tin can", bad="It was hot at noon and freezing at night"),
                entry("a hat", bad="The wind blew it away with {him} in it"),
                entry("a mailbox", bad="Letters fell on {his} head"),
            ),
            "friend": BIRD,
        },
        summary="{Hero} the {hero.kind} is tired of {his} shell and tries to live in {home}, but home is best.",
        story="""
        <once_animal> {Hero} had a [small|plain|brown] shell, and {he} was tired of it. "[It is too small|It is so dull]," {he} told
        {friend} the {friend.kind}. "{Friend}, you have a whole tree. I want a house like a king's!"

        <One_day>, {hero} found {home}. It was [painted {color}|large and shiny]. "[This is the house for me|Now I will live in style]!"
        {he} said, and {he} moved in[ at once|]. "{+Foreshadowing}[Wait and see|Bigger is not always better]," said {friend}.

        The first night was bad. {home.bad}. The second night was [worse|no better]. And {he} could not take the house along when {he}
        went for a walk! [{He} felt bare and cold without something on {his} back.|Every evening {he} had to crawl all the way back.]

        On the third morning, {hero} [said goodbye|had had enough]. "[I miss my old shell|I want to go home]," {he} said. {Friend} [hid a
        smile behind {friend.his} wing|only nodded wisely]. {Hero} [crept|slipped] back into {his} shell. It was just right. It was warm,
        it was dry, and it [fit in every corner|knew {him} well]. {+MoralValue}"[There is no place like your own|The best house is the one
        that fits]," said {hero}[, and yawned|].
        """,
    ),
)
