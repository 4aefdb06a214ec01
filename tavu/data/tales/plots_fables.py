"""Plots in the manner of old fables: little animals who talk, and a moral."""

from tavu.data.tales.lexicon import BERRIES, FLOWER, animals, entry
from tavu.data.tales.plot import plot

POND = animals("frog", "turtle", "otter", "beaver")

FABLES = (
    plot(
        "the_thorn",
        cast={
            "hero": animals("mouse", "wren", "chipmunk", "sparrow"),
            "big": (
                entry("bear", sound="roared"),
                entry("lion", sound="roared"),
                entry("wolf", sound="howled"),
                entry("elephant", sound="trumpeted"),
                entry("tiger", sound="growled"),
            ),
            "hurt": (
                entry("a thorn in its foot", how="took hold of the thorn with all {his} strength"),
                entry("a splinter in its toe", how="pulled at the splinter with all {his} might"),
                entry("a burr in its ear", how="crept into the great ear and got hold of the burr"),
            ),
            "later": (
                entry("hungry cat", run="ran off with its tail between its legs"),
                entry("sly weasel", run="was never seen again"),
                entry("big gray hawk", run="flew away over the hills"),
            ),
        },
        summary="{Hero} the {hero.kind} helps a {big} that has {hurt}, and later the {big} helps {him}.",
        story="""
        <once_animal> <One_day>, {he} heard a terrible sound. A {big} lay under a tree and {big.sound} with pain. All the other animals
        had [run away|hidden].

        {Hero} was afraid too. But {he} came closer. "[What is wrong?|Why do you cry?]" {he} asked. The {big} held very still. It had
        {hurt}. "[You are so small|Nobody as small as you can help me]," it [sighed|groaned].

        "[Small is what you need now|Let me try]," said {hero}. {He} {hurt.how}. One, two, three, and it was out! The {big} [let out a
        long breath|smiled with all its teeth]. "Thank you, little one. {+Foreshadowing}[I never forget a friend|If you need me, call]."

        One [cold|gray|foggy] day, a {later} crept up behind {hero}. "[Now I have you|Dinner]!" it said. {Hero} [called|cried] for help as
        loud as {he} could. The ground shook. Out of the trees came the {big}, and it {big.sound}! The {later} {later.run}.

        "{+MoralValue}[No friend is too small|Great and small can help each other]," said the {big}, and {hero} rode home on its back.
        """,
    ),
    plot(
        "ready_for_winter",
        cast={
            "hero": animals("squirrel", "chipmunk", "mouse", "hedgehog"),
            "friend": animals("squirrel", "chipmunk", "mouse", "badger"),
            "berries": BERRIES,
            "fun": ("danced in the leaves", "slept in the sun", "raced the wind", "slid down the hill", "played tag with the butterflies"),
        },
        summary="{Hero} plays all autumn while {friend} gathers food for the winter.",
        story="""
        <once_animal> [All autumn|When the leaves turned red], {hero} {fun}. {His} neighbor {friend} was busy from morning to night.
        {Friend} carried [nuts and seeds|acorns and dried {berries}] into {friend.his} house.

        "[Come and play!|Why do you work so hard?]" called {hero}. "{+Foreshadowing}[Winter is coming|Soon the snow will be here]," said
        {friend}. "[You should fill your pantry.|What will you eat then?]" {Hero} only laughed. "[Winter is far away|There is plenty of
        time]!"

        But one morning the world was white. {Hero} looked for something to eat. There were no nuts. There were no {berries}. There was
        only snow, and it was cold. [{He} ate a bit of bark. It was bitter.|{His} tummy growled like a bear.]

        [{+BadEnding}{Hero} knocked at {friend}'s door, but {friend} was already fast asleep and did not hear. It was a long and hungry
        winter for {hero}. {+MoralValue}"Next year," {he} said, "I will [work first and play later|start in summer]."| {Hero} knocked at
        {friend}'s door. {Friend} looked at the thin little {hero.kind} and [sighed|shook {friend.his} head]. "Come in," {friend.he} said.
        "There is enough for two, if we [are careful|eat a little less]." {Hero} was ashamed and thankful. All winter {he} swept the floor
        and told [funny|long] stories. {+MoralValue}And the next autumn, nobody gathered more nuts than {hero}. "[One half is for
        you|These are for you]," {he} told {friend}.]
        """,
    ),
    plot(
        "slow_and_steady",
        cast={
            "slow": ("snail", "tortoise", "beetle", "caterpillar", "worm", "slug"),
            "hero": animals("rabbit", "hare", "fox", "squirrel"),
            "flower": FLOWER,
            "goal": ("the old bridge", "the mill", "the hollow tree", "the top of the hill", "the blue gate"),
            "delay": (
                entry("lay down for a nap", back="woke up"),
                entry("stopped to look at {himself} in a puddle", back="looked up again"),
                entry("stopped to show off {his} jumps to some ducks", back="took {his} last bow"),
                entry("ran into a garden to nibble on carrots", back="wiped {his} mouth"),
                entry("chased a butterfly the wrong way", back="found the path again"),
            ),
        },
        summary="{Hero} the {hero.kind} laughs at a slow little {slow} and then loses a race because {he} is too sure of {himself}.",
        story="""
        <once_animal> {He} was the fastest runner for miles, and {he} [never let anyone forget it|told everybody so]. <One_day>, a {slow}
        crossed {his} path. "[How slow you are!|Do you ever get anywhere?]" laughed {hero}.

        "[I get there|I always arrive]," said the {slow}. "Shall we race to {goal}?" {Hero} laughed so hard that {he} [fell over|got the
        hiccups]. But {he} agreed.

        Off they went! In a moment {hero} was far ahead. {He} looked back. [Nobody was in sight.|There was only dust.] "{+Foreshadowing}[I
        have all the time in the world|I could walk on my ears and still win]," {he} said. And {he} {delay}.

        The {slow} crept on, step by step. It did not stop to [rest|talk]. It did not stop to smell the {flower.many}. When {hero}
        {delay.back}, [the sun was low|the shadows were long]. {He} [jumped up and ran like the wind|raced off as fast as {he} could]. But
        who was sitting at {goal}, [chewing on a leaf|smiling quietly]?

        "{+Twist}[What kept you?|Good evening!]" said the {slow}. {Hero} [hung {his} head|turned red under {his} fur]. Then {he} [held out
        a paw|bowed low]. "You win," {he} said. "{+MoralValue}[I was fast, but you did not stop|From now on I will laugh less and run
        more]."
        """,
    ),
    plot(
        "fox_and_the_cheese",
        cast={
            "hero": animals("crow", "raven", "magpie"),
            "fox": ("fox", "cat", "weasel", "stoat"),
            "food": ("piece of cheese", "slice of ham", "sausage", "piece of cake", "golden bun"),
            "praise": (
                entry(
                    "What shiny feathers you have",
                    do="Show me how you spread your wings and say your name",
                    did="opened {his} beak to say {his} name.",
                ),
                entry("They say nobody sings as well as you", do="Let me hear just one note", did="opened {his} beak and began to sing."),
                entry(
                    "You must be the cleverest bird of all",
                    do="Tell me, how much is two and two",
                    did='opened {his} beak and cried, "Four, of course!"',
                ),
            ),
        },
        summary="A {fox} flatters {hero} the {hero.kind} and gets {his} {food}.",
        story="""
        {Hero} was a [proud|handsome|shiny black] {hero.kind}. <One_day>, {he} found a {food} on a windowsill. {He} [snatched it up|took
        it in {his} beak] and flew to the top of a tree[ to eat it in peace|]. "Nobody gets a crumb of this," {he} thought.

        A {fox} came by. It [sniffed the air|looked up] and licked its lips. {+Foreshadowing}"Good morning, {hero}," it said in a voice
        [like honey|as soft as silk]. "{praise}." {Hero} [puffed up {his} chest|was pleased], but {he} kept {his} beak shut.

        "[Oh, please|Do me the honor]," said the {fox}. "{praise.do}." {Hero} could not [resist|help {himself}]. {He} {praise.did} And
        down fell the {food}! The {fox} caught it [before it touched the ground|in the air] and swallowed it [in one bite|at once].

        {+Twist}"[That was delicious|Thank you for lunch]," it said. "[Your beak is fine, but your head is empty|Now I will tell you
        something for free: do not believe everything you hear]." {+BadEnding}{Hero} sat on the bare branch with [an empty beak|nothing to
        eat], and {his} tummy [rumbled|grumbled] until night. [{+MoralValue}Sweet words can cost a lot.|{+MoralValue}Whoever praises you
        too much may want something.|]
        """,
    ),
    plot(
        "the_honey_tree",
        cast={
            "hero": animals("bear cub", "badger", "raccoon"),
            "flower": FLOWER,
            "bad": ("shook the tree", "put {his} paw into the hole", "poked the nest with a stick"),
            "sting": ("{his} nose", "{his} ear", "{his} behind", "{his} paw"),
        },
        summary="{Hero} the {hero.kind} tries to take honey from the bees and gets stung, but then {he} learns to ask.",
        story="""
        <once_animal> <One_fine_day>, a sweet smell came through the trees. {Hero} followed it until {he} found a hollow tree full of
        bees. "[Honey|There must be honey in there]!" {he} said, and {his} mouth began to water.

        {Hero} did not ask anyone. {He} {bad}. {+Conflict}Buzz! Out came the bees, hundreds of them, and they were [angry|furious]. One of
        them stung {him} on {sting}. "Ow, ow, ow!" howled {hero}, and {he} ran and jumped into the [stream|pond|river].

        When {he} came out, an old [owl|toad|heron] was laughing at {him}. "[Well, well|So, so]. Would you like it if someone broke into
        your house?" {Hero} [thought about that|shook the water from {his} fur]. No, {he} would not like it at all.

        The next day {he} went back, slowly and politely. In {his} arms {he} carried a [bunch|basket] of {flower.many}. {He} laid them
        down in front of the tree. "I am sorry," {he} said. "These are for you. [May I have a little honey, please?|Could you spare a
        drop?]"

        The bees [hummed and talked it over|danced around the flowers]. Then {+Twist}the queen herself came out. "[Take what is on the
        lowest comb|One pawful]," she said. {+MoralValue}It was the sweetest honey {hero} had ever had, because it was a gift.
        """,
    ),
    plot(
        "the_boaster",
        cast={
            "hero": POND,
            "friend": animals("mouse", "snail", "newt", "shrew"),
            "boast": (
                entry(
                    "jump higher than the moon",
                    mine="jump higher than the moon",
                    fail="jumped as high as {he} could, turned over in the air and landed in the mud with {his} legs up",
                ),
                entry(
                    "hold {his} breath all day",
                    mine="hold my breath all day",
                    fail="went under, and came up a moment later, coughing and red in the face",
                ),
                entry(
                    "carry the biggest stone in the pond",
                    mine="carry the biggest stone in the pond",
                    fail="pulled until {he} slipped and sat down on a thistle",
                ),
                entry("drink the whole pond", mine="drink the whole pond", fail="drank until {he} was as round as a ball and could not move"),
            ),
        },
        summary="{Hero} the {hero.kind} boasts that {he} can {boast}, and it ends badly.",
        story="""
        <once_animal> {Hero} liked to boast. "I can [swim|dive] better than any fish," {he} would say. "[I am the best at everything|There
        is nothing that I can't do]." The others were [tired of hearing it|sick of it].

        "[Can you do something really hard?|What is the greatest thing you can do?]" asked {friend} the {friend.kind}. {Hero} [did not
        even think|puffed {himself} up]. "I can {boast.mine}!" {he} said. {+Foreshadowing}"[Be careful,|Are you sure?]" said {friend}. But
        everybody had heard it, and everybody came to see.

        {Hero} [swallowed|looked around]. Now {he} had to do it. {He} {boast.fail}. For a moment nobody made a sound. Then the whole pond
        laughed. [{+BadEnding}{Hero} crept away under a leaf, and {he} did not come out for three days.|{Hero} wanted to sink into the
        ground.]

        Only {friend} did not laugh. {Friend.He} [came and sat beside {him}|brought {him} some water]. "You know," said {friend}, "[you do
        not have to be the best|we would like you without all that]. {+MoralValue}You tell good jokes. That is enough." After that, {hero}
        told more jokes and [fewer tall tales|boasted less].
        """,
    ),
)
