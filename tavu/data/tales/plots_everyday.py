"""Plots of everyday life out of doors: errands, neighbors, games and practice."""

from tavu.data.tales.lexicon import BERRIES, CHILD, COLOR, FLOWER, FRUIT, NEIGHBOR, PARENT, TREATS, entry
from tavu.data.tales.plot import plot

EVERYDAY = (
    plot(
        "helping_a_neighbor",
        cast={
            "hero": CHILD,
            "neighbor": NEIGHBOR,
            "treats": TREATS,
            "job": (
                entry(
                    "carry the bags",
                    need="was carrying two heavy bags up the hill",
                    did="took one of the bags and walked slowly, so that {neighbor} could keep up",
                ),
                entry(
                    "rake the leaves",
                    need="was looking at a garden full of leaves and holding {neighbor.his} back",
                    did="raked the leaves into a mountain, jumped into it, and raked them again",
                ),
                entry("shovel the snow", need="could not open the door because of the snow", did="shoveled a path from the door to the street"),
                entry(
                    "pick the pears",
                    need="was looking up at the ripe pears, too old to climb",
                    did="climbed the tree and handed down the pears, one by one",
                ),
                entry("find the cat", need="was calling for a lost cat", did="looked under every bush until two green eyes blinked at {him}"),
            ),
            "story": (
                "a sailor who kept a whale as a friend",
                "the time when there were no cars",
                "a circus that came with three elephants",
                "a bear that walked into the school",
                "the big flood",
            ),
        },
        summary="{Hero} helps {neighbor} to {job} and [gets a story as thanks|makes a new friend].",
        story="""
        <once> <One_day>, {hero} was on {his} way to [play|the playground] when {he} saw {neighbor}, who {job.need}. {Hero} wanted to [run
        on|go and play]. [The others were waiting for {him}.|It was such a nice day.] But {he} stopped. "[Can I help you?|Shall I help you
        {job}?]" {he} asked.

        "[That would be kind|You are a good {hero.child}]," said {neighbor}. So {hero} {job.did}. It was [hard work|harder than it
        looked], and it took [a long time|the whole afternoon]. [{His} cheeks were red, but {he} did not complain.|{Hero} whistled while
        {he} worked.]

        When it was done, {neighbor} put a plate of {treats} on the table. "I have no money to give you," {neighbor.he} said, "but I have
        [a story|something else]." And {neighbor.he} told {hero} about {story}. [{Hero} forgot to chew.|It was better than any book.] "Did
        that really happen?" {he} asked. "[Every word|Come back tomorrow and I will tell you the rest]," said {neighbor}.

        {+MoralValue}{Hero} had missed a game, but {he} had [found a friend|won a treasure chest full of stories]. {He} went back [every
        week|the very next day], and there was always one more.
        """,
    ),
    plot(
        "shopping_list",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "owner": NEIGHBOR,
            "fruit": FRUIT,
            "meet": (
                entry("a parade", what="drums and flags"),
                entry("a man with a dancing dog", what="a dog in a skirt"),
                entry("a circus wagon", what="a sleepy tiger and a very loud tuba"),
                entry("a juggler", what="five flying plates"),
            ),
            "right": (
                entry("bread, milk and honey", wrong="a bed, silk and money"),
                entry("flour, eggs and cheese", wrong="flowers, pegs and peas"),
                entry("rice, beans and a pear", wrong="ice, jeans and a chair"),
                entry("butter, jam and tea", wrong="a cutter, a lamb and a key"),
                entry("fish, corn and a roll", wrong="a dish, a horn and a bowl"),
            ),
        },
        summary="{Hero} goes shopping alone for the first time and mixes up the list.",
        story="""
        For the first time, {hero} was allowed to go to the store all alone. "Bring {right}," said {his} {parent}. "[Can you remember
        that?|Shall I write it down?]"

        {Hero} [shook {his} head|laughed]. "[I have a good memory|I am not a baby]," {he} said. {He} walked down the street and said it
        over and over. "{Right}. {Right}."

        Then {he} came to {meet}. [What a sight|How wonderful]! {Hero} saw {meet.what}, and {he} [clapped and cheered|stood there with an
        open mouth]. When it was over, {he} went on. "Now what was it?" {he} said. "{Right.wrong}!"

        {Owner} stood behind the counter and [scratched {owner.his} head|blinked]. "{Right.wrong}?" {owner.he} said. "[What for?|I don't
        sell that.]" {Hero} [turned red|felt tears coming]. {He} had forgotten! "[Say it slowly|Don't worry]," said {owner}. "[What will
        you make with it?|What does it sound like?]" They thought, and they [rhymed|guessed], and {+Twist}all at once {hero}
        [shouted|cried], "{Right}!"

        {Owner} packed it all into a bag and put a {fruit} on top. [At home, {hero} told the whole story, and they laughed until
        dinner.|"Did you remember?" asked {his} {parent} at home. "In the end," said {hero}.] {+MoralValue}The next time, {he} took a
        list[, just in case|].
        """,
    ),
    plot(
        "picnic_and_ants",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "treats": TREATS,
            "berries": BERRIES,
            "flower": FLOWER,
            "guest": ("ants", "wasps", "ducks", "squirrels", "pigeons", "geese", "goats"),
        },
        summary="Some uninvited {guest} come to {hero} and {friend}'s picnic.",
        story="""
        <One_fine_day>, {hero} and {friend} had a picnic in the [meadow|park|woods]. They spread out a [checkered|striped] blanket among
        the {flower.many}. There were {treats}, there were {berries}, and there was a [big jug of|bottle of] juice. "[This is the life|I
        could eat it all]," said {hero}.

        But somebody else was hungry, too. "Look!" said {friend}. "[We have guests|There is something behind you]!" The {guest} came from
        the left. The {guest} came from the right. "[Shoo|Go away]!" shouted {hero}, and {he} waved {his} [hat|arms]. [They did not
        listen.|That only made more of them come.] "They are [stealing|eating] my {treats}!"

        {+Conflict}"[Let us go home|The picnic is ruined]," said {friend}. {Hero} looked at all those hungry mouths. "[Wait|I have an
        idea]," {he} said. {He} took some crumbs and a few {berries} and carried them to a [flat stone|tree stump], [twenty|thirty] steps
        away. "[This is your table|Here is your picnic]," {he} said, "and that is ours."

        And it worked! {+Twist}The {guest} [went to|hurried to] their own table and [had a feast|ate every bit]. {Hero} and {friend} sat
        on their blanket and watched. {+MoralValue}"[There is enough for everyone|It is nicer with company]," said {friend}, "if everyone
        has a place." <to_bed>
        """,
    ),
    plot(
        "tying_shoes",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "skill": (
                entry("tie {his} shoes", fail="The knot came apart", image="a rabbit that runs around a tree and jumps into its hole"),
                entry("whistle", fail="Only air came out", image="a kiss for a very small mouse"),
                entry("ride a bike", fail="The bike fell over", image="a bird that looks far ahead and not at its feet"),
                entry("swim", fail="{He} swallowed water", image="a frog that is never in a hurry"),
                entry("skip rope", fail="The rope caught {his} feet", image="a clock that goes tick, tock, jump"),
                entry("snap {his} fingers", fail="There was no sound", image="a match that you strike"),
            ),
        },
        summary="{Hero} wants to learn to {skill}, and it takes a lot of practice.",
        story="""
        <once> All {his} friends could do it, only {hero} could not: {he} could not {skill}. "It is easy," said {friend}. {Hero} tried.
        {skill.fail}. {Hero} tried again. {skill.fail} again. "[I will never learn it|I am too stupid]!" {he} said[, and {he} wanted to
        cry|].

        "[Nobody is born knowing it|I needed a whole summer to learn it]," said {his} {parent}. "[Do you know how I learned it?|Shall I
        tell you a secret?] Think of {skill.image}." {Hero} [thought that was silly|laughed]. But {he} closed {his} eyes and thought of
        it. It was [a little better|almost right].

        {He} practiced in the morning, and {he} practiced in the evening. {He} even practiced in {his} dreams. {skill.fail}, but {hero}
        did not give up. And then one day [it worked|{he} could do it]! {He} had to do it [three|five] times more.

        {He} ran to {friend}. "[Watch me|Look what I can do]!" {he} said. A [small|little] {friend.child} from next door was watching as
        well. "[I will never learn that|It looks so hard]," said the little one. {+MoralValue}{Hero} sat down. "[Shall I tell you a
        secret?|Do you know how I learned it?]" {he} said. "Think of {skill.image}."
        """,
    ),
    plot(
        "the_big_race",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "color": COLOR,
            "prize": ("cup", "medal", "ribbon", "trophy", "big cake"),
            "race": (
                entry("sack race", fall="got tangled up in the sack"),
                entry("egg race", fall="slipped on a broken egg"),
                entry("swimming race", fall="got a cramp"),
                entry("ski race", fall="fell into the deep snow"),
                entry("bike race", fall="ran into a ditch"),
            ),
        },
        summary="In the {race}, {hero} is about to win when {friend} gets into trouble, and {he} goes back to help.",
        story="""
        It was the day of the {race}. {Hero} had practiced for weeks. {He} wanted to win the {color} {prize} more than anything. "[This
        year it will be mine|I am going to win]," {he} said. "[We will see about that|Not if I am faster]!" said {friend}, and they shook
        hands.

        Ready, set, go! {Hero} and {friend} left the others behind. [The crowd cheered.|They were side by side.] {Hero} could see the
        finish. Then {he} heard a cry. {Friend} {race.fall}! {Hero} could have won easily. [Only twenty more steps!|The {prize} was so
        close!] {+Conflict}[But could {he} leave {friend} behind?|But what about {friend}?]

        {Hero} turned around. "[Give me your hand|Hold on to me]!" {he} said. {He} pulled {friend} up, and they went on [arm in
        arm|together]. One after the other, the rest of them passed. They came in last, and the {prize} went to someone else. {+Twist}But
        what was that? Everybody was on their feet, and they [clapped louder than before|were calling {hero}'s name]!

        "[You lost because of me|I am sorry that you did not win]," said {friend}. {+MoralValue}"[A {prize} gets dusty|You can win a
        {prize} any day]," said {hero}, "but a friend [does not|is for always]." <to_bed>
        """,
    ),
    plot(
        "lemonade_stand",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "helper": NEIGHBOR,
            "berries": BERRIES,
            "goal": (
                "a birthday present for {his} mom",
                "food for the birds in winter",
                "new books for the school",
                "a ball for the whole street",
                "a blanket for the old dog",
            ),
            "trouble": (
                entry("rain began to fall", how="under {helper.his} big umbrella"),
                entry("a goat knocked over the jug", how="in {helper.his} kitchen, where they made a new jug"),
                entry("nobody came by", how="on the corner, where everyone could see them"),
                entry("the table broke", how="on {helper.his} garden wall"),
            ),
        },
        summary="{Hero} and {friend} sell lemonade to buy {goal}, and {helper} helps them when things go wrong.",
        story="""
        <once> <One_fine_day>, {hero} and {friend} wanted to earn some money. They needed it for {goal}. So they made lemonade with
        {berries} in it, [painted a sign|wrote a big sign] and carried a table out to the street.

        "Lemonade! [Fresh|Cold|Sweet] lemonade!" they <cried_out>. {Hero} poured, and {friend} counted the coins. [They sold one glass,
        and then another.|The mailman bought the first glass.] But then {trouble}. {Friend} [sighed|groaned]. "[That is the end of it,|Now
        what?]" {friend.he} said.

        "[Don't give up|Wait a moment]!" called {helper} from across the street. [{Helper.He} had seen it all from {helper.his} window.|]
        "You can sell it over here." So they went on selling {trouble.how}. [And {helper} drank three glasses {helper.himself}.|And
        {helper} told everyone who passed how good it was.]

        By evening the jug was empty and the [can|jar|tin] was full. {Hero} shook it. Clink, clink! "[It is enough|We have enough]!" {he}
        said. They [bought|went straight to the store and got] {goal}. With what was left, they brought {helper} a [bunch of flowers|bag
        of nuts|jar of {berries}]. {+MoralValue}"[Without you we would have gone home|We could not have done it alone]," said {friend}.
        """,
    ),
    plot(
        "band_of_pots",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "flower": FLOWER,
            "one": (
                entry("a big pot", sound="Boom, boom"),
                entry("a bucket", sound="Bum, bum"),
                entry("an old washtub", sound="Dum, dum"),
                entry("a cake tin", sound="Bang, bang"),
            ),
            "two": (
                entry("two spoons", sound="clack, clack"),
                entry("a bunch of keys", sound="jingle, jingle"),
                entry("a jar of beans", sound="shake, shake"),
                entry("a comb and paper", sound="buzz, buzz"),
                entry("a bottle", sound="hoo, hoo"),
            ),
            "angry": NEIGHBOR,
        },
        summary="{Hero} and {friend} make a loud band out of kitchen things, and in the end even {angry} plays along.",
        story="""
        [<once>|] <One_day>, {hero} and {friend} had nothing to do. "Let us have a band!" said {hero}. {Hero} took {one}. {Friend} took
        {two}. {one.sound}, {two.sound}! [It was loud. It was wild.|It was not a song yet, but it was a start.] They marched [around the
        house|up and down the street].

        A window flew open. "{+Conflict}Stop that [noise|racket]!" shouted {angry}. "[I cannot hear my own thoughts|I am trying to
        sleep]!"

        {Hero} and {friend} [stopped|stood still]. {Hero} was [ashamed|sorry]. "[We did not want to make anyone angry|We should have
        asked]," {he} said. So they picked a {flower} and rang the bell. "We are sorry," said {friend}. "When may we play?"

        {Angry} looked at the {flower} and at {two}. The angry face [grew soft|melted]. "{+Twist}Do you know," said {angry}, "that I used
        to play the [trumpet|fiddle|accordion]?" And out of [a closet|a dusty box] it came! "Not so fast," said {angry}. "One, two,
        three..."

        {one.sound}, {two.sound}, and the sweetest tune above it! All the neighbors came out to [listen|dance]. {+MoralValue}Now the band
        plays every [Saturday|Sunday|Friday], and nobody ever complains.
        """,
    ),
)
