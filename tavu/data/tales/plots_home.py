"""Plots of a day at home: meals, bedtime, babies and birthdays."""

from tavu.data.tales.lexicon import CAKE, CHILD, COLOR, PARENT, SOFT_TOY, TOY, entry
from tavu.data.tales.plot import plot

HOME = (
    plot(
        "messy_room",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "toy": SOFT_TOY,
            "color": COLOR,
            "lost": ("library book", "swimsuit", "birthday invitation", "other shoe", "train ticket", "homework"),
            "found": (
                entry("a sandwich", now="that had grown green fur"),
                entry("three forks", now="that everyone had been looking for"),
                entry("a frog", now="that was very glad to be found"),
                entry("a pear", now="that was more like a puddle"),
            ),
        },
        summary="{Hero}'s room is so messy that {he} cannot find {his} {lost}.",
        story="""
        <once> {Hero}'s room was a mess. There were socks on the lamp and [blocks|crayons] in the bed. "[Won't you tidy up?|How can you
        find anything in here?]" asked {his} {parent}. "[I know where everything is|I like it this way]," said {hero}.

        <One_day>, {hero} needed {his} {lost}, and {he} needed it fast. {He} looked under a heap of clothes. {He} found {found}
        {found.now}. {He} looked [behind the bed|in the toy chest]. {He} found {his} {color} [scarf|slipper|cup] from last year. {He} did
        not find {his} {lost}. "[It has to be here!|Where can it be?]" {he} wailed. [{He} was going to be late.|The clock went tick,
        tock.]

        "[Let us put one thing after the other where it belongs|There is only one way to find it]," said {his} {parent}. Books went on the
        shelf. Toys went into the chest. [The floor came out. It was blue! {Hero} had forgotten that.|Bit by bit, there was room to walk.]
        And there, under the {toy}, lay the {lost}.

        {Hero} was just in time. That evening {he} put everything back in its place, even the socks. {+MoralValue}"[A place for
        everything|It is easier to find things when you know where they live]," {he} told the {toy}. It [sat on the shelf and looked
        pleased|seemed to agree].
        """,
    ),
    plot(
        "cannot_sleep",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "toy": SOFT_TOY,
            "first": (
                entry("thirsty", help="brought {him} a glass of water"),
                entry("cold", help="brought {him} another blanket"),
                entry("hungry", help="brought {him} half a banana"),
                entry("too warm", help="opened the window"),
            ),
            "count": (
                entry("sheep", trouble="they began to play leapfrog"),
                entry("ducks", trouble="they all quacked at once"),
                entry("elephants", trouble="they made too much noise"),
                entry("penguins", trouble="they kept sliding off the ice"),
            ),
        },
        summary="{Hero} cannot fall asleep and tries everything, until {he} puts {his} {toy} to bed.",
        story="""
        <once> <One_evening>, {hero} could not sleep. {He} lay on {his} left side. {He} lay on {his} right side. "{Parent}, I am {first}!"
        {he} called. {His} {parent} {first.help}. [That did not help.|{Hero} was still awake.]

        "[Close your eyes and count|Count some animals]," said {his} {parent}. So {hero} counted {count}. One, two, three, four... but
        then {count.trouble}, and {hero} had to [laugh|start again]. {He} called once more. "[I am not tired at all|My eyes do not want to
        close]," {he} said.

        {His} {parent} [thought|sat down on the bed]. "[Your {toy} looks tired|Your {toy} can't sleep either]," said {his} {parent}.
        "Could you [put it to bed|help it]?" {Hero} tucked the {toy} in. {He} [sang it a song|told it a story about a little star]. {He}
        stroked its head and whispered, "[Good night, sleep tight|I am here. You can close your eyes now]." {His} voice grew [slower and
        slower|softer and softer].

        When {his} {parent} looked in again, {+Twist}they were both fast asleep, the {toy} and {hero}, nose to nose. [The moon shone on
        the blanket.|Outside, an owl said good night.]
        """,
    ),
    plot(
        "crying_baby",
        cast={
            "hero": CHILD,
            "parent": ("mom", "dad"),
            "toy": TOY,
            "color": COLOR,
            "baby": (entry("sister", it="her"), entry("brother", it="him"), entry("cousin", it="the little one")),
            "funny": (
                entry("sneezed", sound="Achoo"),
                entry("hiccuped", sound="Hic"),
                entry("burped", sound="Burp"),
                entry("bumped into the door", sound="Bump"),
                entry("dropped a spoon on {his} toe", sound="Ouch"),
            ),
        },
        summary="{Hero} tries to stop {his} baby {baby} from crying, and it works by accident.",
        story="""
        <once> {Hero} had a new baby {baby}, and the baby cried and cried. "[What does it want?|Why is it so loud?]" asked {hero}. {His}
        {parent} [yawned|looked very tired]. "[I wish I knew|The milk did not help]," said {his} {parent}.

        "[Let me try|I will do it]," said {hero}. {He} [sang a song|hummed a tune]. The baby cried. {He} held up a {color} {toy}. The baby
        cried [louder|even more]. {He} [made a face|stood on {his} head|danced like a bear]. The baby [waved its fists and|turned red and]
        cried. {Hero} [was out of ideas|put {his} hands over {his} ears].

        Then {hero} {funny}. "{funny.sound}!" The baby stopped. It looked at {hero} with big eyes. It was very quiet. {+Twist}And then the
        baby laughed! [It was the first time ever.|It had no teeth at all.] {Hero} did it again. "{funny.sound}!" The baby [kicked its
        legs|squealed] and laughed even more.

        "[You have found the magic word!|How did you do that?]" said {his} {parent}. {Hero} felt ten feet tall. "[It is a secret between
        us|You just have to know how]," {he} said. The baby fell asleep in the middle of a laugh.
        """,
    ),
    plot(
        "will_not_eat",
        cast={
            "hero": CHILD,
            "elder": ("grandma", "grandpa", "aunt", "uncle"),
            "food": (
                entry("spinach", like="green grass"),
                entry("broccoli", like="little trees"),
                entry("pumpkin soup", like="orange mud"),
                entry("cabbage", like="an old hat"),
                entry("porridge", like="glue"),
                entry("beet salad", like="purple rocks"),
            ),
            "who": (
                entry("giants", do="they pull up trees"),
                entry("explorers", do="they cross the desert"),
                entry("pirates", do="they sail around the world"),
                entry("bears", do="they sleep all winter"),
                entry("knights", do="they fight with dragons"),
            ),
        },
        summary="{Hero} refuses to eat {food}, until {his} {elder} makes a game of it.",
        story="""
        <once> [One day|One Sunday|One Monday|One rainy day], there was {food} for lunch. {Hero} [pushed {his} plate away|made a face].
        "[I don't like it|I won't eat that]," {he} said. "[It looks like {food.like}|It looks funny]."

        "Have you ever tried it?" asked {his} {elder}. "No," said {hero}, "but I know [it already|that I don't like it]."

        {His} {elder} did not [scold|get angry]. {His} {elder} only took a big spoonful and [closed both eyes|sighed happily]. "[What a
        pity|Well, well]," said {his} {elder}. "This is what {who} eat before {who.do}. [But it is not for small children.|More for me,
        then.]"

        {Hero} [opened one eye|pricked up {his} ears]. "[Really?|Do they?]" {he} asked. {He} dipped the tip of {his} spoon in and licked
        it. [Nothing bad happened.|Hm.] {He} took a small bite, and then a bigger one. {+Twist}[It was not bad at all.|It was good!] "I
        can feel it," {hero} said. "[My arms are getting stronger|I am growing]!"

        Soon the plate was empty. "[Is there any more?|May I have some more?]" asked {hero}. "[That was the last of it|I am afraid you ate
        it all]," said {his} {elder}, and laughed. [{+MoralValue}You never know until you try.|{+MoralValue}Since that day, {hero} tries
        everything at least once.|]
        """,
    ),
    plot(
        "forgotten_birthday",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": ("mom", "dad"),
            "cake": CAKE,
            "color": COLOR,
            "toy": TOY,
            "where": ("the garden", "the kitchen", "the barn", "the living room", "the attic"),
        },
        summary="{Hero} thinks that everyone has forgotten {his} birthday, but there is a surprise party in {where}.",
        story="""
        {Hero} jumped out of bed. It was {his} birthday! {He} ran downstairs. "Good morning," said {his} {parent}, and [went on
        reading|stirred the coffee]. [No song. No candles.|That was all.] {Hero} waited. "[Do you know what day it is?|Isn't today
        special?]" {he} asked. "[It is Tuesday|Today we clean the closet]," said {his} {parent}.

        {Hero} went to see {friend}. "[I have no time|I am busy today]," said {friend} and closed the door[ in a hurry|]. {Hero} [kicked a
        can|dragged {his} feet] all the way home. {+Foreshadowing}[It was odd that a {color} ribbon lay on the path, but {he} did not
        think about it.|Behind the door {he} had heard somebody giggle, and {he} thought that they were laughing at {him}.] "[Nobody
        remembers|Nobody loves me]," {he} thought, and a tear ran down {his} nose.

        The house was dark and still. {Hero} [looked for {his} {parent}|opened the door to {where}]. {+Twist}"Surprise!" shouted a dozen
        voices. In {where} stood {friend}, and all the others, and a {cake} with [shining|burning] candles. "[Did you think we forgot?|It
        was so hard not to tell you!]" said {friend}, and gave {him} a {color} {toy}.

        {Hero} did not know whether to laugh or to cry, so {he} did both. "[This is the best birthday ever|You tricked me]!" {he} said.
        <the_end>
        """,
    ),
    plot(
        "the_box_with_holes",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "inside": (
                entry("kitten", sound="Something inside said mew", name="Socks"),
                entry("puppy", sound="Something inside sneezed", name="Pudding"),
                entry("guinea pig", sound="Something inside squeaked", name="Potato"),
                entry("rabbit", sound="Something inside went thump", name="Carrot"),
                entry("tortoise", sound="Something inside scratched very slowly", name="Rocket"),
                entry("parrot", sound="Something inside said hello", name="Captain"),
                entry("duckling", sound="Something inside peeped", name="Button"),
            ),
            "guess": ("a pair of shoes", "a cake", "a clock", "a hat", "a new lamp", "a drum"),
        },
        summary="{Hero} wonders what is in a mysterious box, and it is a {inside}.",
        story="""
        <once> [One day|One afternoon|On Monday|On Friday|One rainy day], when {hero} came home from school, there was a box on the table.
        It was tied with a {color} string, and it had [small|three round] holes in it. "[Is it for me?|What is in it?]" asked {hero}.
        "[Have a guess|You may guess three times]," said {his} {parent}.

        {Hero} walked around the table. "Is it {guess}?" {he} asked. "[No|Wrong]," said {his} {parent}. "[{+Foreshadowing}Would {guess}
        need air?|Guess again.]" {Hero} [sniffed at it|put {his} ear on the lid]. {inside.sound}! {Hero} jumped back. "It is alive!" {he}
        [whispered|cried].

        {His} fingers shook as {he} untied the string. {He} lifted the lid [slowly|a little bit]. Two [bright|round black] eyes looked up
        at {him}. {+Twist}It was a {inside}! "[Oh, it is so small|Hello there]," breathed {hero}. "[Is it really mine?|May I keep it?]"

        "[You have wished for one so long|You have shown that you can take care of things]," said {his} {parent}. {Hero} named it
        {inside.name}, because [it was the first name that came to {him}|that suited it]. That night {he} put the box next to {his} bed,
        and [neither of them slept much. {Hero} had to keep saying good night.|they both slept well.]
        """,
    ),
)
