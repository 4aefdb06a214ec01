"""Plots of weather, seasons and the sky."""

from tavu.data.tales.lexicon import BUG, CHILD, COLOR, FLOWER, PARENT, SOFT_TOY, TREE, entry
from tavu.data.tales.plot import plot

WEATHER = (
    plot(
        "rainy_day",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "plan": ("go to the zoo", "have a picnic", "fly a kite", "go to the beach", "ride bikes", "pick berries"),
            "game": (
                entry("a ship", made="the old sofa", do="They sailed past icebergs and waved to the whales"),
                entry("a rocket", made="a big box", do="They flew around the moon and landed on a planet made of pillows"),
                entry("a cave", made="warm blankets and chairs", do="They drew bison on paper walls and ate raisins by the light of a lamp"),
                entry("a train", made="the wooden chairs", do="They sold tickets to the bears and stopped in every country"),
                entry("a castle", made="the soft pillows", do="They kept watch for dragons and had tea with a queen"),
            ),
        },
        summary="It rains when {hero} and {friend} want to {plan}, so they build {game} indoors.",
        story="""
        [<once>|] {Hero} and {his} {friend.sibling} {friend} had waited all week for [Saturday|Sunday|this day]. They were going to
        {plan}. But when {hero} looked out of the window, it was raining. It rained [cats and dogs|and rained]. "[That is not fair|Stupid
        rain]!" said {hero}. {Friend} [pressed {friend.his} nose against the glass|kicked the table leg].

        "[We cannot change the weather|The rain will not stop for us]," said their {parent}, "but we can [make something of it|be
        clever]." {Hero} looked around. {He} saw {game.made}. "[I know|I have an idea]!" {he} <cried_out>.

        They pushed and pulled, and soon {game.made} became {game}. {game.do}. [They forgot all about lunch.|They had to shout, because
        the rain was so loud.] When {hero} looked out again, the sun was shining. "[Look, the sun|The rain has stopped]," said their
        {parent}.

        {+Twist}"[Not yet|In a minute]," said {hero} and {friend}. "[We are not back yet|We are in the middle of an adventure]!"
        """,
    ),
    plot(
        "snowman_nose",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "thief": (
                entry("rabbit", trail="two long prints and two short ones"),
                entry("deer", trail="small prints with two toes"),
                entry("goat", trail="deep round prints"),
                entry("donkey", trail="big round prints"),
            ),
            "new": ("pine cone", "red pepper", "stick", "potato", "wooden spoon"),
        },
        summary="{Hero} and {friend} build a snowman, and a hungry {thief} eats its nose.",
        story="""
        In the night it had snowed, and the whole world was white. {Hero} and {friend} ran out and built a snowman. They gave it [two
        black stones|two buttons] for eyes, a {color} scarf, and a [long|big orange] carrot for a nose. "[Good night, Mister Snow|Sleep
        well]!" said {hero} when it grew dark.

        In the morning, the nose was gone! "[Who took it?|Who would steal a nose?]" {hero} asked. {Friend} pointed at the ground. There
        were tracks in the snow, {thief.trail}. They followed them [around the house|behind the barn|past the well]. And there sat a
        {thief}, with the last [bit|end] of the carrot in its mouth! {+Twist}

        {Hero} wanted to [shout|be angry]. But the {thief} was so [thin|cold and thin]. Its [ribs showed|legs trembled]. "[It was
        hungry|Winter is hard when you have no kitchen]," said {friend}. So they gave the snowman a {new} for a nose, and [they put a
        whole bag of carrots|every evening they put a carrot and some hay] beside it.

        Now the snowman had [company|a friend] every night. {+MoralValue}And it looked to {hero} as if it was smiling[ a bit more than
        before|].
        """,
    ),
    plot(
        "end_of_the_rainbow",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "found": (
                entry("a puddle full of colors", why="the whole rainbow was floating in it"),
                entry("a bush of ripe blackberries", why="each one was worth more than a coin"),
                entry("a lost lamb", why="it was so glad to see them"),
                entry("a meadow of wet flowers", why="they shone like jewels"),
                entry("an old man who was selling apple cakes", why="he gave them the last two for free"),
            ),
        },
        summary="{Hero} and {friend} look for gold at the end of a rainbow and find {found}.",
        story="""
        [<once>|] After the rain, a rainbow stood over the [hills|fields|roofs]. "My [uncle|grandpa] says there is [gold|a pot of gold] at
        the end of it," said {hero}. "[Then let us go and get it!|What are we waiting for?]" said {friend}.

        They took a [sack|bucket] and set off. They [climbed over a gate|crossed a stream on stones]. They [walked through tall wet
        grass|got stuck in the mud]. But whenever they came close, the rainbow moved. [It was always one hill farther.|It would not wait
        for them.] "[My feet hurt|I am so tired]," [said|groaned] {friend}[, and {hero} felt the same|]. Then the colors grew pale, and
        the rainbow was gone.

        "{+Conflict}[This was your silly idea|Now we have nothing]!" said {friend}. "[You wanted to come|It was your idea too]!" said
        {hero}. They [did not speak|walked back without a word]. And then they saw something: {found}! {+Twist}It was better than gold,
        because {found.why}.

        They [looked at each other and laughed|forgot that they were angry]. "[So this is where it ends|We found the treasure after all],"
        said {hero}. {+MoralValue}They went home with [wet shoes|muddy knees] and light hearts.
        """,
    ),
    plot(
        "the_moon_follows",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "place": ("the pond", "the bakery", "the church", "the old bridge", "the school", "the dark park", "the station"),
        },
        summary="{Hero} is sure that the moon is following {him} home.",
        story="""
        <once> <One_evening>, {hero} was walking home with {his} {parent}. The moon was [big|round|yellow] and bright. {Hero} looked up.
        After a while {he} looked up again. "{Parent}," {he} whispered, "the moon is [following|coming after] us!"

        They walked past {place}. So did the moon. They turned a corner. The moon [turned, too|came around the corner]. {Hero} [walked
        faster|ran ten steps], and the moon [hurried|ran] along above the roofs. {Hero} stopped. The moon stopped! {Hero} [walked
        backward|hid behind a tree]. The moon [waited|peeked through the leaves].

        "[What does it want?|Is it lost?]" asked {hero}. "[What do you think?|I do not know. Shall we ask?]" said {his} {parent}. {Hero}
        thought about it. "I think it is [lonely|afraid of the dark|on its way home, too]," {he} said.

        So {he} [waved|sang it a song] and walked slowly, to let it keep up. When {he} lay in bed, the moon looked in through the window.
        "[You can stay here tonight|Good night, moon. You found the way]," said {hero}. And the moon stayed, until {he} was asleep[ and
        even a little longer|].
        """,
    ),
    plot(
        "lost_in_the_fog",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "sound": (
                entry("the bell of the church", noise="Dong, dong"),
                entry("a cow with a bell", noise="Clang, clang"),
                entry("the foghorn of the lighthouse", noise="Hooo, hooo"),
                entry("the mill wheel", noise="Splash, splash"),
                entry("our own dog", noise="Woof, woof"),
            ),
            "scary": (
                entry("a bent giant", real="an old willow"),
                entry("a ship with no crew", real="a hay wagon"),
                entry("a wolf", real="a bush"),
                entry("a row of ghosts", real="shirts on a line"),
            ),
        },
        summary="{Hero} and {friend} lose their way in the fog, and a sound leads them home.",
        story="""
        {Hero} and {friend} were on their way home when the fog came. It rolled over the fields like [milk|smoke]. Soon they could not see
        [the path|their own feet]. "[Where are we?|Which way is home?]" asked {friend}, and {friend.his} voice [shook|sounded strange].

        "[Stay close to me|Take my hand]," said {hero}. They took a few steps. Something tall [stood|leaned] in front of them. "It is
        {scary}!" whispered {friend}. {Hero} was scared as well, but {he} [went closer|put out {his} hand]. {+Twist}It was only
        {scary.real}.

        "[Let us not use our eyes|Our eyes are no good in this]," said {hero}. "Let us use our ears." They stood [quite still|as still as
        mice] and listened. [There was nothing. Then, very far away, there was something.|Drip, drip, went the leaves. And then...]
        {sound.noise}! "That is {sound}!" said {friend}. "[It is that way|I would know it anywhere]!"

        Step by step, hand in hand, they followed the sound. It grew louder, and at last they saw a yellow light. It was the kitchen
        window, and [there was soup on the stove|somebody was already looking out for them]. {+MoralValue}"[Clever ears|Well listened],"
        said {hero}.
        """,
    ),
    plot(
        "the_wish",
        cast={
            "hero": CHILD,
            "elder": ("grandma", "grandpa"),
            "friend": CHILD,
            "wish": (
                entry(
                    "a friend to play with",
                    start="there was a truck in the street",
                    knock="A family was moving in next door, "
                    'and there stood a {friend.child} with a ball. "I am {friend}," the {friend.child} called. "Do you want to play?"',
                ),
                entry(
                    "a little brother or sister",
                    start="there was a surprise at breakfast",
                    knock='"We have news," said {his} mom and dad. "In spring we will have a baby!" {Hero} ran to tell {friend} from next door.',
                ),
                entry(
                    "snow",
                    start="{he} woke up early",
                    knock="It was strangely quiet outside, and the light was white. {Friend} from next door was already building a snow fort.",
                ),
                entry(
                    "a dog",
                    start="the doorbell rang",
                    knock='{Friend} from next door stood at the gate with a big brown dog. "Could you help me walk him every day?" asked {friend}.',
                ),
            ),
        },
        summary="{Hero} sees a falling star and makes a wish that comes true in {his} own way.",
        story="""
        <once> {Hero} had one great wish. {He} wished for {wish}. <One_evening>, {he} sat on the [steps|roof|balcony] with {his} {elder}.
        [The crickets were singing.|The air was cool.] All at once a star fell across the sky!

        "[Quick, make a wish|Now you may wish for something]," said {his} {elder}, "but you must not say it out loud." {Hero} [shut {his}
        eyes tight|held {his} breath] and wished with all {his} might. When {he} opened {his} eyes, [nothing had changed|everything was as
        before]. "[When will it come true?|How long does it take?]" {he} asked. "[Stars are far away|Wishes walk slowly]," said {his}
        {elder}. "Be patient."

        {Hero} waited one day. {Hero} waited [two weeks|ten days]. [{He} almost gave up.|Then {he} almost forgot it.] But one morning,
        {wish.start}. {+Twist}{wish.knock}

        [That evening|When it was dark], {hero} went out to look at the sky. "[Thank you|You did not forget]," {he} whispered. And far up,
        a star [winked|twinkled].
        """,
    ),
    plot(
        "puddles_and_boots",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "deep": ("as deep as a bathtub", "deeper than it looked", "full of mud", "as deep as a well"),
            "bug": BUG,
        },
        summary="{Hero} jumps into the biggest puddle with {his} new rain boots on and [gets soaked|gets a surprise].",
        story="""
        <once> {Hero} had new rain boots. They were {color}, and they [squeaked|shone]. "[Please rain|Come on, rain]!" {he} told the sky
        every morning. At last it rained[ all night|], and {hero} ran outside.

        Splash! {He} jumped into a small puddle. Splish! {He} jumped into a bigger one. [A {bug} hurried out of the way.|A sparrow got a
        shower.] "Not into the one by the gate," called {his} {parent}[ from the door|]. {+Foreshadowing}"[It is too deep|You will be
        sorry]!" But it was the [biggest|best] puddle of them all. {Hero} [looked at it|walked around it] once, and then {he} jumped.

        The puddle was {deep}! The water ran over the top of {his} boots. {He} pulled, but the boots were stuck, and [plop|oops], {he} sat
        down right in the middle. {His} [pants|socks] were wet. {His} [hair|shirt] was wet. Even {his} ears were wet.

        [{+BadEnding}{Hero} sneezed all evening and had to stay in bed for three days, while the sun shone outside. {+MoralValue}"I should
        have listened," {he} said[ to {his} boots|].|{His} {parent} came out to help, slipped, and landed in the puddle as well!
        {+Twist}They looked at each other. Then they both laughed so hard that they could not get up. "[You were right|It is too deep],"
        said {hero}. "But it is <very> nice in here."]
        """,
    ),
    plot(
        "the_old_tree",
        cast={
            "hero": CHILD,
            "tree": TREE,
            "toy": SOFT_TOY,
            "use": ("{his} pirate ship", "{his} castle", "{his} lookout", "{his} secret place"),
            "new": ("a bench for the garden", "a cradle", "a small table", "a rocking horse"),
            "flower": FLOWER,
        },
        summary="A storm knocks down {hero}'s favorite {tree}, and something new comes from it.",
        story="""
        <once> Behind the house stood an old {tree}, and {hero} loved it. It was {use}. {He} [climbed it every day|told it everything]. It
        never [laughed at {him}|told anyone].

        One night a storm came. It [howled|roared] like a [lion|train]. {Hero} held {his} {toy} tight and listened. [Crack|Crash]! In the
        morning, the {tree} lay on the ground. {Hero} [ran out in {his} pajamas|could not believe it]. {He} put {his} arms around the
        trunk and [wept|cried for a long time].

        "It was [very|so] old," said {his} dad. "[Trees do not live forever|Even big trees get tired]. But they leave something behind.
        Look!" In the grass lay a [brown|smooth], shiny seed. Together they planted it. And out of the best piece of wood, {his} dad made
        {new}.

        {Hero} [ran {his} hand over the wood|smelled the wood]. It still smelled of [summer|leaves]. Every day {he} watered the place
        where the seed was. In spring, between two {flower.many}, two tiny leaves came up. {+MoralValue}"[Hello|Good morning]," said
        {hero}. "I have [a lot|so much] to tell you."
        """,
    ),
)
