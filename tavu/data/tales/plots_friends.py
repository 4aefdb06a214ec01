"""Plots of friends: sharing, quarrels and making up."""

from tavu.data.tales.lexicon import CHILD, COLOR, GROUND, PARENT, PLAYGROUND, TEACHER, TOY, TREATS, entry
from tavu.data.tales.plot import plot

FRIENDS = (
    plot(
        "will_not_share",
        cast={"hero": CHILD, "friend": CHILD, "color": COLOR, "toy": TOY, "where": PLAYGROUND},
        summary="{Hero} does not want to share {his} {toy} with {friend}, but finds out that playing alone is no fun.",
        story="""
        <once> <One_day>, {hero} took {his} new {color} {toy} to the {where}. [It was the finest toy {he} had ever had.|{He} could hardly
        wait to play with it.] {Friend} came [running|along] and [stopped to look|clapped {friend.his} hands]. "What a <great> {toy}!"
        said {friend}. "May I [play with it too|try it|have a turn]?"

        "{+Conflict}No! It is mine," said {hero}, and {he} [turned {his} back|held it tight|hid it under {his} coat]. {Friend}'s smile
        went away. [{Friend.He} walked off to the [swings|sandbox] all alone.|"All right," {friend.he} said, and {friend.he} went to look
        for someone else.]

        {Hero} played with the {toy} by {himself}. {He} played near the [slide|bench]. {He} played near the [wall|trees]. [But soon it was
        boring.|But there was nobody to laugh with.|But it was not as much fun as {he} had thought.] From far away {he} could hear
        {friend} [humming a sad tune|laughing with the other children].

        {Hero} [thought for a while|looked at the {toy}, and then at {friend}]. Then {he} walked over. "[I am sorry|I was not very nice],"
        {he} said. "Do you want to [go first|play with me]?"

        {Friend}'s [face lit up|eyes began to shine]. [They took turns until the sun went down.|They made up a game for two, and it was
        the best game ever.|Together they thought of ten new things to do with the {toy}.] {+MoralValue}"[A toy is twice as nice with a
        friend|It is more fun to share]," said {hero}. <the_end>
        """,
    ),
    plot(
        "new_in_class",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "teacher": TEACHER,
            "from_": (
                "a land of high mountains",
                "an island far away",
                "a big city",
                "a farm in the north",
                "a place where it never snows",
                "the other side of the ocean",
            ),
            "skill": (
                entry("draw", did="drew a horse that looked as if it could jump off the page"),
                entry("whistle", did="whistled like a blackbird"),
                entry("juggle", did="juggled three oranges"),
                entry("fold paper", did="folded a paper crane with wings that moved"),
                entry("do cartwheels", did="turned four cartwheels in a row"),
                entry("tie knots", did="tied a knot that looked like a flower"),
            ),
        },
        summary="{Friend} is new at school and shy until {hero} [sits down next to {friend.him}|makes friends with {friend.him}].",
        story="""
        [One day|One morning|On Monday|On the first day of spring], {teacher} brought a new {friend.child} into the classroom. "This is
        {friend}," said {teacher}. "{Friend.He} comes from {from_}." {Friend} looked at {friend.his} shoes and [said nothing|did not say a
        word].

        At [recess|playtime], everyone ran outside. {Friend} stood by the wall, all alone. {Hero} saw it. {He} remembered {his} own first
        day, when {he} had [cried in the coat closet|not known a single name|wanted to run home]. So {he} walked over. "[Hello|Hi], I am
        {hero}," {he} said. "[Do you want half of my [apple|sandwich|orange]?|Would you like to play?|Shall I show you where the best
        hiding places are?]"

        {Friend} [shook {friend.his} head|only shrugged]. But {hero} did not give up. {He} sat down next to {friend.him} and [drew a cat
        in the dust. It was a very fat cat.|told {friend.him} the names of all the children. It took a long time.] After a while {friend}
        [smiled a tiny smile|looked up]. "I can {skill}," {friend.he} said. Then {friend.he} {skill.did}!

        "[Wow|Amazing]! Can you teach me?" asked {hero}. Soon [half the class|a crowd] stood around them, and everybody wanted to learn
        how to {skill}. {Friend} [laughed|smiled and smiled].

        {+MoralValue}From that day on, {friend} was not the new {friend.child} anymore. {Friend.He} was {hero}'s [best friend|good
        friend]. All it had taken was one hello.
        """,
    ),
    plot(
        "the_last_one",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "treats": (
                entry("cookies", one="cookie"),
                entry("muffins", one="muffin"),
                entry("pancakes", one="pancake"),
                entry("doughnuts", one="doughnut"),
                entry("plums", one="plum"),
                entry("cupcakes", one="cupcake"),
            ),
            "parent": PARENT,
            "thief": (
                entry("a crow", the="the crow", did="flew in through the window, grabbed it and was gone"),
                entry("the dog", the="the dog", did="jumped up, opened its mouth and swallowed it whole"),
                entry("a squirrel", the="the squirrel", did="hopped onto the table, took it in its paws and raced up a tree"),
                entry("the baby", the="the baby", did="reached out a small hand and stuffed it all into a small mouth"),
            ),
        },
        summary="{Hero} and {friend} quarrel over the last {treats.one} until nobody can have it.",
        story="""
        [<once>|] <One_day>, {hero} and {his} {friend.sibling} {friend} were eating {treats}[ in the kitchen| at the garden table|]. [The
        {treats} were still warm.|They were sweet and soft.] The plate grew emptier and emptier. At last there was only one {treats.one}
        left.

        "{+Conflict}It is mine," said {hero}. "[I am older|I saw it first|I ate fewer]!"

        "No, it is mine!" said {friend}. "[You had more|I am hungrier|I touched it first]!"

        They [pulled at the plate|shouted and pushed]. They were so angry that they did not look at the {treats.one} anymore. So they did
        not see {thief}, who [came closer|was watching]. [Snap|Quick as a wink]! {Thief.the} {thief.did}.

        {Hero} and {friend} stared at the empty plate. [{+BadEnding}Then they both began to cry. "If we had [shared|cut it in two],"
        sobbed {friend}, "each of us would have half now." {Hero} [nodded|sniffed]. {+MoralValue}It was too late for that.|Then they
        looked at each other, and they both [burst out laughing|had to laugh]. "{+Twist}So that is who gets the last one!" said {hero}.
        When their {parent} baked {treats} again, they cut the last one in two before anybody could say "mine." {+MoralValue}Both halves
        tasted <great>.]
        """,
    ),
    plot(
        "the_swing",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "thing": ("swing", "seesaw", "scooter", "trampoline", "tricycle", "rope swing"),
            "where": PLAYGROUND,
            "parent": PARENT,
            "count": ("twenty", "fifty", "thirty", "a hundred"),
        },
        summary="{Hero} and {friend} both want the {thing} at once, so they learn to take turns.",
        story="""
        <once> In the {where} there was only one [old|small|shiny|big] {thing}, and {hero} loved it. [All week {he} had been waiting for
        it.|It made {him} feel as if {he} could fly.]

        <One_fine_day>, {hero} and a {friend.child} named {friend} reached the {thing} at the very same time. "{+Conflict}I was first!"
        said {hero}. "No, I was!" said {friend}. [{Hero} pushed. {Friend} pushed back.|They both held on and would not let go.] Bump! They
        [both fell|landed] in the [sand|grass|mud].

        [It hurt a little. {Hero} rubbed {his} knee.|Now they were both dirty.|{Hero} had sand in {his} hair, and so did {friend}.] {His}
        {parent} came over, but [did not scold|was not angry]. "[How long is one turn?|What could you do with one {thing} and two
        children?]" {his} {parent} asked.

        {Hero} [scratched {his} head|thought about it]. "We could count," {he} said. "You may have it until I count to {count}. Then it is
        my turn."

        "[That is fair|All right]," said {friend}. So {hero} counted, and {he} [sang the numbers|made the numbers funny], and {friend}
        laughed. Then {friend} counted. [After a while they forgot to count.|The waiting was almost as much fun as the {thing}.]
        {+MoralValue}When it was time to go home, they did not even remember who had been first. "[See you tomorrow|Bye, {hero}]!" called
        {friend}.
        """,
    ),
    plot(
        "broken_by_accident",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "thing": (
                entry("kite", broke="stepped on it and snapped the wood"),
                entry("paper lantern", broke="sat down on it and squashed it flat"),
                entry("toy ship", broke="dropped it, and the mast broke off"),
                entry("clay horse", broke="knocked it over, and a leg came off"),
                entry("model plane", broke="threw it too hard, and a wing broke"),
                entry("dollhouse", broke="bumped into it, and the little roof fell off"),
            ),
            "glue": ("glue", "glue and string", "strong tape", "wire and glue"),
        },
        summary="{Hero} breaks {friend}'s {thing} by accident, tells {friend.him} the truth and helps to mend it.",
        story="""
        <once> {Hero} had a friend named {friend}. {Friend} had made a <great> {thing} all by {friend.himself}. It had taken {friend.him}
        [a whole week|many days|all winter].

        <One_day>, while {friend} was [washing {friend.his} hands|getting some juice|out of the room], {hero} picked the {thing} up to
        look at it. {He} did not mean any harm. But {he} {thing.broke}! {Hero} [turned pale|felt cold all over]. [{He} wanted to hide it
        under the bed.|"I could run away," {he} thought. "I could say it was the cat."]

        {Friend} came back. "{+Conflict}What happened to my {thing}?" {friend.he} cried.

        {Hero} took a deep breath. "I broke it," {he} <said_softly>. "It was an accident. I am [so|very|really] sorry." {Friend} was
        [angry|hurt], and for a while {friend.he} did not [speak|say a thing]. {Hero} did not [leave|run away]. "Can I help you mend it?"
        {he} asked.

        They [found|got] some {glue} and worked [side by side|all afternoon]. {Hero} held the pieces, and {friend} [pressed them
        together|joined them]. In the end, you could still see the [crack|broken place]. "[It looks like a scar|It looks like a bolt of
        lightning]," said {friend}, "[and I like it|and pirates have scars, too]." {+MoralValue}{Hero} was glad that {he} had told the
        truth. [The {thing} was mended, and so was their friendship.|]
        """,
    ),
    plot(
        "too_heavy_alone",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "third": CHILD,
            "thing": (
                entry("pumpkin", where="in the field", want="bring it home for soup"),
                entry("log", where="in the woods", want="make a bridge over the stream"),
                entry("sled", where="at the foot of the hill", want="pull it to the top"),
                entry("snowball", where="in the yard", want="put it on top of the snowman"),
                entry("watermelon", where="in the garden", want="bring it to the picnic"),
                entry("rowboat", where="on the beach", want="push it into the water"),
                entry("box of books", where="by the door", want="carry it to the library"),
            ),
        },
        summary="{Hero} cannot move a heavy {thing} alone, but with [{his} friends|{friend} and {third}] it is easy.",
        story="""
        <once> <One_day>, {hero} found a [big|huge|giant|very heavy] {thing} {thing.where}. {He} wanted to {thing.want}. "[I can do it
        myself|I am strong]," said {hero}. {He} pushed and {he} pulled. {He} [huffed and puffed|grew red in the face]. The {thing} did not
        move at all.

        {Friend} came by. "[Do you need help?|Shall I help you?]" {friend.he} asked.

        "No, thank you," said {hero}. "I want to do it alone." {He} tried [with a stick|with a rope|with {his} feet]. {He} tried until
        {his} arms [hurt|ached]. Then {he} sat down and [sighed|groaned]. "It is no use."

        "May I try?" asked {friend}. But {friend} could not move it either. [Then {third} came along, whistling a tune.|Just then {third}
        came down the path.] "[Let us all try at once|If the three of us push, it must move]!" said {third}. "One, two, three!" [And look,
        the {thing} moved!|The {thing} shook. The {thing} moved!] A little at first, and then more and more, until they {+MoralValue}[had
        done it|were there].

        "[Hooray|We did it]!" they <cried_out>. {Hero} wiped {his} [forehead|face] and laughed. "I am strong," {he} said, "but together we
        are [stronger|as strong as an elephant]."
        """,
    ),
    plot(
        "no_lunch",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "treats": TREATS,
            "lunch": (
                "a cheese sandwich",
                "a jam sandwich",
                "a bowl of rice",
                "bread and butter",
                "a boiled egg and some bread",
                "a big slice of pizza",
            ),
            "lost": (
                "{Friend.He} had left {friend.his} lunch on the kitchen table",
                "{Friend.His} lunch had fallen into a puddle on the way",
                "The dog had eaten {friend.his} lunch",
                "Somebody had sat on {friend.his} lunch on the bus",
            ),
        },
        summary="{Hero} shares {his} lunch with {friend}, and one day {friend} does the same for {him}.",
        story="""
        It was lunchtime at school. {Hero} opened {his} lunch box. Inside {he} had {lunch}, and {he} was [hungry as a wolf|very hungry].
        Next to {him} sat {friend}, who had [nothing at all|no lunch]. {Lost}.

        {Friend} looked [at the wall|out of the window] and pretended not to care. But {friend.his} tummy [growled|rumbled]. [{Hero} heard
        it.|It was so loud that everyone heard it.] {Hero} looked at {his} lunch. There was not much of it. [Half of not much is even
        less, {he} thought.|If {he} gave half away, {he} would still be hungry.] But {he} divided it into two and pushed one half across
        the table. "[Here|This is for you]," {he} said.

        "Really? Thank you!" said {friend}, and {friend.he} ate every crumb. [They laughed about the loud tummy.|They talked about dragons
        until the bell rang.]

        {+Foreshadowing}"I will not forget this," said {friend}. And {friend.he} did not. {+Twist}Some weeks later it was {hero} who had
        no lunch. {He} had been in such a hurry! [{He} was about to be sad.|] But {friend} sat down beside {him} and opened a big box. It
        was full of {treats}. "[Half of them are yours|My half and your half]," said {friend}[ with a wink|]. {+MoralValue}Kindness [comes
        back|finds its way home].
        """,
    ),
    plot(
        "get_well",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "where": GROUND,
            "ill": ("a bad cold", "the chicken pox", "a fever", "a sore throat", "the measles"),
            "gift": (
                entry("a box with a ladybug in it", do="watched the ladybug walk over {friend.his} blanket"),
                entry("a jar full of autumn leaves", do="laid the leaves out by color on the bed"),
                entry("a long letter with pictures", do="read it over and over"),
                entry("a string telephone", do="talked from house to house until dark"),
                entry("a puppet made from a sock", do="made the puppet tell jokes through the window"),
                entry("a bag of smooth stones", do="painted a face on every stone"),
            ),
        },
        summary="{Friend} is ill in bed, and {hero} thinks of a way to cheer {friend.him} up.",
        story="""
        <once> Every day after school, {hero} and {friend} played in the {where}. But [one morning|one day|one Monday], {friend} did not
        come. "{Friend} has {ill}," said {hero}'s {parent}. "{Friend.He} has to stay in bed[ for a whole week|], and {friend.he} must not
        have visitors."

        {Hero} went to the {where} alone, but [everything looked gray|the games did not work with one player]. "If I am so sad," {he}
        thought, "how sad must {friend} be!" {He} sat down [on a stump|on the grass] and thought hard. Then {he} had an idea. {He} ran
        [home|here and there], and [all afternoon {he} was very busy|{he} worked until supper].

        The next morning there was a knock at {friend}'s window. {Friend} [sat up|opened the curtain]. There stood {hero}, waving. {He}
        held up {gift}. "[I made it for you|It is for you]!" {he} called through the glass. {His} {parent} [took it to the door|handed it
        in].

        {Friend} {gift.do}. [For the first time in days, {friend.he} laughed.|{Friend.He} forgot how bad {friend.he} felt.] And when
        {friend} was well again, the first thing {friend.he} did was run to {hero}'s house. "[That was the best medicine|You made me
        well]," {friend} said. [{+MoralValue}A good friend is good medicine.|]
        """,
    ),
)
