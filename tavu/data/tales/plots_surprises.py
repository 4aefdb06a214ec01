"""Plots of surprises and a little magic."""

from tavu.data.tales.lexicon import CHILD, COLOR, FLOWER, FRUIT, NEIGHBOR, PARENT, SOFT_TOY, TOY, TREATS, TREE, entry
from tavu.data.tales.plot import plot

SURPRISES = (
    plot(
        "the_secret_giver",
        cast={
            "hero": CHILD,
            "giver": NEIGHBOR,
            "first": FRUIT,
            "flower": FLOWER,
            "treats": TREATS,
            "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
            "clue": (
                entry("flour", what="a trace of flour on the step"),
                entry("a feather", what="a gray feather from an old hat"),
                entry("paint", what="a spot of blue paint on the mat"),
                entry("footprints", what="the print of a boot beside the print of a cane"),
            ),
        },
        summary="Someone leaves small gifts at {hero}'s door, and {he} finds out who it is.",
        story="""
        [<once>|] <One_day>, {hero} opened the front door, and there lay a {first}. [It was polished until it shone.|There was no note.]
        Nobody was in sight. The next morning there was a {flower}. The morning after that there was a bag of {treats}! "[Who is doing
        this?|Where do they come from?]" {hero} wondered.

        {He} looked for clues like a detective. There was {clue.what}. {+Foreshadowing}[It made {him} think.|{Hero} had seen that before,
        but where?] So on {day} {he} got up [before the sun|very early] and hid behind the curtain. [Tap, tap, tap.|The garden gate
        creaked.] Somebody was coming! {+Twist}It was {giver} from across the road.

        {Hero} flung the door open. "[It was you|I caught you]!" {he} said. {Giver} turned [pink|red]. "[You shoveled my path all
        winter|You carried my bags last week|You always wave to me]," {giver.he} said, "and I never knew how to thank you." {Hero} had
        [forgotten all about it|thought that it was nothing].

        "[Then come in|Come in for breakfast]," said {hero}. The next morning, {giver} opened {giver.his} own front door. There lay a
        {first}, and nobody was in sight. {+MoralValue}
        """,
    ),
    plot(
        "magic_pebble",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "color": COLOR,
            "wish": (
                entry(
                    "that everything tasted like candy",
                    mine="that everything tasted like candy",
                    bad="But the soup tasted like candy. The bread tasted like candy, and so did the toothpaste. {Hero} felt sick",
                ),
                entry(
                    "that it was always summer",
                    mine="that it was always summer",
                    bad="But the grass turned brown and the stream dried up. The flowers hung their heads, and {friend}'s garden died",
                ),
                entry(
                    "that {he} never had to sleep",
                    mine="that I never had to sleep",
                    bad="But the nights were long and lonely. Everyone else was dreaming, and {hero}'s eyes burned",
                ),
                entry(
                    "that {he} was as tall as a house",
                    mine="that I was as tall as a house",
                    bad="But {he} could not go through the door. {He} could not hear what {friend} said, and the birds flew into {his} ears",
                ),
                entry(
                    "that {his} toys could talk",
                    mine="that my toys could talk",
                    bad='But they all talked at once, day and night. "Play with me! No, with me!" they shouted, and {hero} could not think',
                ),
                entry(
                    "to have a hundred cats",
                    mine="to have a hundred cats",
                    bad="But there were cats in the bed and in the sink. They ate all the food in the house, and {friend} could not stop sneezing",
                ),
            ),
        },
        summary="{Hero} finds a magic pebble and wishes {wish}, which is not as nice as {he} thought.",
        story="""
        <once> <One_day>, {hero} found a {color} pebble [in the stream|on the beach|under a fern]. It was warm, and it [hummed|glowed] in
        {his} hand. "[I am a wishing stone|Be careful with me]," said the pebble. "You have two wishes. {+Foreshadowing}[Think before you
        speak|Choose well]."

        {Hero} did not think long. "I wish {wish.mine}!" {he} said. [There was a flash.|The pebble grew hot.] And it came true! At first
        it was <great>. {Hero} [laughed and danced|ran to show {friend}]. {wish.bad}.

        {+Conflict}"[Make it stop|This is terrible]!" said {friend}. "[You have one wish left|Wish it away]!" {Hero} [looked at the
        pebble|bit {his} lip]. {He} would have liked to keep that wish. {He} could have asked for [gold|a flying horse]. But {he} looked
        at {friend} and said, "I wish that everything was [as before|the way it was]."

        The pebble turned [gray|cold]. It was only a stone now. {Hero} put it on the windowsill, next to [a cup of tea|an apple].
        {+MoralValue}"[I never knew how nice an ordinary day is|I think I had everything already]," {he} told {friend}. {+Twist}And the
        stone, {hero} thought, [winked|hummed a tiny bit].
        """,
    ),
    plot(
        "tiny_dragon",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "place": ("in the flowerpot", "in the coal bucket", "in {his} left boot", "behind the stove", "in the sugar bowl", "under the radiator"),
            "use": (
                entry("toast the bread", when="every morning at breakfast"),
                entry("light the candles", when="on every birthday"),
                entry("warm {his} feet", when="on cold nights"),
                entry("melt the snow on the steps", when="all winter"),
            ),
        },
        summary="{Hero} finds a tiny dragon that [cannot stop hiccuping|has the hiccups] and gives it a home.",
        story="""
        <once> <One_day>, {hero} found a dragon {place}. It was no bigger than a [mouse|spoon], it was {color}, and it was crying. "[What
        is the matter?|Why are you crying?]" asked {hero}. The dragon looked up. "Hic!" it said, and a [spark|flame] flew out of its nose.
        "I have the hiccups. Nobody wants a dragon with, hic, hiccups. I burn [everything|the curtains]."

        {Hero} gave it a [thimble|spoonful] of water. "Hic!" Steam came out of its ears. {Hero} [told it to hold its breath|made it stand
        on its head]. "Hic!" There was a hole in the tablecloth. [{He} said "Boo!" The dragon was so frightened that it hid in the
        teapot.|{He} tickled it. The dragon laughed and hiccuped at the same time.] "[It is no use|I had better go]," said the dragon[
        sadly|].

        {Hero} thought. "Can you, hic, I mean, can you do it when you want to?" {he} asked. Then {he} whispered something to the dragon.
        [It wiped its eyes.|It began to smile.] {+Twist}And so the dragon stayed. It helped to {use} {use.when}. Hic! It was the best at
        it in the whole town.

        "[Who is doing that?|How did you do that so fast?]" asked {his} {parent}. {Hero} only smiled. [{+MoralValue}What is a trouble in
        one place can be a gift in another.|]
        """,
    ),
    plot(
        "toys_at_night",
        cast={
            "hero": CHILD,
            "toy": SOFT_TOY,
            "other": TOY,
            "color": COLOR,
            "trouble": (
                entry("a button eye was missing", fix="sewed it back on with a silver thread"),
                entry("an ear had come off", fix="sewed the ear back on"),
                entry("there was a hole in its side", fix="closed the hole with tiny stitches"),
                entry("a leg was loose", fix="tied and stitched the leg"),
            ),
        },
        summary="At night, {hero}'s toys help the old {toy}, and {hero} never quite finds out.",
        story="""
        {Hero} had a room full of toys, and the oldest of them was a {color} {toy}. {+Foreshadowing}It was so worn that {trouble}.
        "[Tomorrow we must throw it away|It is falling apart]," said {hero}'s mom. {Hero} [held it close and cried|put it on the pillow
        one last time] and fell asleep.

        When the clock struck twelve, the {other} moved. "[Everybody up|Wake up]!" it whispered. "[Our old friend is in danger|There is
        work to do]!" The [crayons|marbles] rolled out of their box. The [puppets|tin soldiers] climbed down from the shelf. They found [a
        needle|thread and a needle], and [all night|until dawn] they worked. One held the light, one pulled the thread, and they
        {trouble.fix}. The {toy} did not [say a word|make a sound], but it [smiled|was very happy].

        In the morning {hero} [rubbed {his} eyes|sat up]. The {toy} was as good as new! "Mom, did you do this?" {he} asked. "[No|I did
        not]," said {his} mom[, and she looked at the {toy} in wonder|]. {Hero} looked at the shelf. The {other} [was not where {he} had
        left it|had a bit of thread on it]. {+Twist}"[Thank you|Well done]," {he} whispered. Nobody answered, but {hero} was sure that
        someone [winked|giggled].
        """,
    ),
    plot(
        "robot_helper",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "name": ("Bolt", "Zip", "Beep", "Sparky", "Rusty", "Tick", "Gizmo"),
            "order": (
                entry(
                    "Clean my room", did="It cleaned the room by throwing everything out of the window", better="Please put the toys into the chest"
                ),
                entry("Make me a sandwich", did="It put a shoe and a sponge between two slices of bread", better="Please put cheese on the bread"),
                entry(
                    "Water the plants",
                    did="It poured a whole tub of water over them, and the room turned into a lake",
                    better="Please give each plant one cup of water",
                ),
                entry(
                    "Give the dog a bath",
                    did="It washed the dog, hung it on the line and ironed its ears",
                    better="Please wash the dog gently and let it shake itself dry",
                ),
                entry(
                    "Pick some apples",
                    did="It picked all of them, with the branches, and then it brought the tree",
                    better="Please pick five red apples",
                ),
            ),
        },
        summary="{Hero} builds a robot that does exactly what {he} says, and {he} learns to say what {he} means.",
        story="""
        <once> {Hero} once built a robot out of [cans and wires|an old washing machine|pots and springs], and {he} named it {name}. It had
        a lamp for a nose and [buttons|bottle caps|spoons] for [eyes|ears], and it [walked with a clank|beeped]. "[Now I will never have
        to work again.|What can you do?]" said {hero}. "I do what you say," said {name}.

        "{order}!" said {hero}, and {he} lay down on the sofa. [Clank, clank, clank.|Beep, beep.] {order.did}! {Hero} jumped up.
        "[Stop|No, no, no]! That is not what I meant!" {he} cried. "It is what you said," said {name}[, and its lamp turned red|].

        {Friend} came by and [saw the mess|had to laugh]. "It does not know what you are thinking," said {friend}. "[You have to tell it
        every bit|Say it as if it was new in the world]. And say please." {Hero} [sighed|scratched {his} ear]. {He} thought about it, step
        by step. "{order.better}," {he} said slowly.

        And {name} did it just right. "[Thank you|Good work]," said {hero}. The lamp turned green. {+Twist}"[You are welcome|It is nice to
        be asked nicely]," said {name}. {+MoralValue}After that they did the work together, {hero}, {friend} and {name}, and [it was twice
        the fun|nobody lay on the sofa].
        """,
    ),
    plot(
        "letter_in_a_bottle",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "far": (
                "on an island with palm trees",
                "in a lighthouse",
                "in a fishing village in the north",
                "on a houseboat",
                "in a town on the other side of the bay",
            ),
            "gift": ("a drawing of {his} cat", "a shiny button", "a pressed flower", "{his} best joke", "a picture of {his} house"),
        },
        summary="{Hero} throws a letter in a bottle into the sea and gets an answer from {friend}.",
        story="""
        <once> {Hero} [had nobody to play with that summer|often felt lonely]. <One_day>, {he} wrote a letter. "[I am {hero}. Who are
        you?|Hello! My name is {hero}. Do you want to be my friend?]" it said. {He} put it into a bottle with {gift}, pushed in the cork,
        and threw it into the sea. The waves carried it [away|out of sight].

        "[The sea is very big|Don't be sad if there is no answer]," said {his} {parent}. {Hero} went to the beach the next day, and the
        next. There were shells. There were [crabs|old ropes]. There was no letter. [The summer passed.|The leaves turned yellow.] {Hero}
        [stopped looking|almost stopped hoping].

        Then came a stormy night, and in the morning something [green|shiny] lay in the seaweed. {+Twist}It was a bottle! {Hero} pulled
        out the cork with {his} teeth. "Dear {hero}," {he} read, "I am {friend}. I live {far}. I was lonely too. Now I am not."

        {Hero} [danced on the sand|ran home to find a pen]. They wrote to each other all winter, [with stamps this time|by mail, because
        it is faster]. And the next summer, when a [boat|ship] came in, a {friend.child} stood on deck and waved. {Hero} knew at once who
        it was. <the_end>
        """,
    ),
    plot(
        "treasure_map",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "elder": ("grandma", "grandpa", "uncle", "aunt"),
            "tree": TREE,
            "treats": TREATS,
            "start": ("the front door", "the well", "the garden gate", "the doghouse"),
            "steps": ("ten", "twenty", "fifteen", "thirty", "seven"),
            "chest": ("an old trunk", "a rusty tin", "a small wooden chest", "a cookie tin"),
        },
        summary="{Hero} and {friend} follow an old map, and the treasure is not what they expected.",
        story="""
        [<once>|] <One_day>, {hero} and {his} {friend.sibling} {friend} found an old map in [a book|the attic|a drawer]. There was a red
        cross on it! "[A treasure|We will be rich]!" <cried_out> {hero}. They took a shovel and began. "{Steps} steps from {start},"
        {friend} read. They counted [aloud|together].

        "Now turn toward the {tree}." [A crow watched them.|{Hero} tripped over a root.] "Now crawl under the hedge." {Friend} [tore
        {friend.his} sleeve|got leaves in {friend.his} hair]. "Then dig!" They dug until their hands were sore. {+Conflict}"[There is
        nothing here|You counted wrong]," said {friend}. "[Just a little deeper|Not so fast]," said {hero}. Clonk! The shovel hit
        something hard.

        It was {chest}. They [held their breath and|brushed off the dirt and] opened it. There was no gold. {+Twist}There was a
        [photograph|picture] of a {hero.child} with a shovel, who looked just like {hero}, and a note. "[I hid this when I was six|Whoever
        finds this is a true pirate]," it said. "The real treasure is in the kitchen."

        They ran inside. There sat {hero}'s {elder}, with [warm milk|cocoa] and a mountain of {treats}. "[What took you so long?|I have
        been waiting for this for fifty years!]" said the old pirate, and [laughed|winked]. <the_end>
        """,
    ),
)
