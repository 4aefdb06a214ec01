"""Plots of mistakes, and of what came of them."""

from tavu.data.tales.lexicon import BERRIES, CHILD, COLOR, DINNER, NEIGHBOR, PARENT, TREATS, entry
from tavu.data.tales.plot import plot

MISTAKES = (
    plot(
        "broken_vase",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "thing": ("vase", "teapot", "lamp", "plate", "window", "mirror", "flowerpot"),
            "how": (
                entry("threw a ball in the house", mine="I threw a ball in the house"),
                entry("danced with a broom in the hall", mine="I was dancing with the broom"),
                entry("slid over the floor in {his} socks", mine="I was sliding in my socks"),
                entry("played tiger on the sofa", mine="I was playing tiger"),
                entry("swung a jump rope in the kitchen", mine="I was swinging the jump rope"),
            ),
            "blame": ("the cat", "the wind", "the dog", "the baby"),
        },
        summary="{Hero} breaks a {thing} and wants to blame {blame}, but then {he} tells the truth.",
        story="""
        <once> <One_day>, {hero} {how}[, although it was not allowed|]. Crash! The {color} {thing} [lay in pieces on the floor|was
        broken]. {Hero}'s heart [stopped|jumped]. [It was the one that everybody loved.|It had been in the family for years.]

        {He} heard steps. "[What was that?|What happened here?]" asked {his} {parent}. "{+Conflict}It was {blame}!" said {hero} quickly.
        {His} {parent} looked at {him} [for a long time|in silence] and then [swept up the pieces|fetched the broom]. "I see," said {his}
        {parent}.

        {Hero} went to {his} room, but {he} could not play. There was a [hard lump|stone] in {his} tummy. [It was not right.|It felt all
        wrong.] At supper {he} could not [eat|swallow a bite]. Then it burst out of {him}. "I did it!" {he} said. "{how.mine}. I am
        [so|really] sorry."

        {His} {parent} [put an arm around {him}|sat down beside {him}]. "I am sad about the {thing}," said {his} {parent}, "but I am glad
        that you told me. {+MoralValue}[That took courage|A {thing} can be replaced, but trust is hard to mend]." The lump was gone. The
        next day, {hero} emptied {his} piggy bank to help buy a new {thing}.
        """,
    ),
    plot(
        "too_many_sweets",
        cast={"hero": CHILD, "parent": PARENT, "treats": TREATS, "dinner": DINNER, "berries": BERRIES},
        summary="{Hero} eats too many {treats} in secret and gets a tummy ache.",
        story="""
        <once> <One_day>, there was a plate of {treats} on the kitchen table. "[They are for after dinner|They are for the party
        tonight]," said {his} {parent}. "{+Foreshadowing}[One or two are a treat. Ten are a tummy ache.|Please do not touch them.]"

        {Hero} nodded. But the {treats} smelled so good, and the kitchen was empty. "[Just one|Nobody will miss one]," {he} thought. {He}
        ate one. It was [delicious|soft and sweet]. So {he} ate another, and [one more|then another one]. {He} moved the rest around so
        that nobody would notice. Soon there was nothing left to move around.

        For dinner they had {dinner}. {Hero} [looked at {his} plate|held {his} tummy] and turned green. "[Aren't you hungry?|What is the
        matter?]" asked {his} {parent}. "[I have a tummy ache|I don't feel well]," {hero} [groaned|moaned]. {His} {parent} looked at the
        empty plate[ and understood everything|]. "[I wonder why|Oh, {hero}]," said {his} {parent}.

        [{+BadEnding}That night there was a party, with music and {berries} and cream. {Hero} heard it all from {his} bed, with a
        [hot-water bottle|bucket] beside {him}.|{Hero} had to drink bitter tea and go to bed before the sun was down. "Never again," {he}
        said.{+BadEnding}] [{+MoralValue}Too much of a good thing is not a good thing.|]
        """,
    ),
    plot(
        "false_alarm",
        cast={
            "hero": CHILD,
            "helper": NEIGHBOR,
            "danger": (
                entry("a wolf", cry="Wolf! Wolf", place="watched the sheep on the hill", harm="the wolf chased the sheep over all the hills"),
                entry("a fire", cry="Fire! Fire", place="played behind the barn", harm="the hay burned down to the ground"),
                entry("a bull", cry="Help! A bull", place="picked mushrooms in the meadow", harm="{he} had to sit in a tree all night long"),
                entry("a flood", cry="Water! Water", place="fished by the river", harm="all {his} things floated away"),
            ),
        },
        summary="{Hero} plays a trick by shouting about {danger}, and when {danger} really comes, nobody believes {him}.",
        story="""
        <once> Every day {hero} {danger.place}. It was [boring there|very quiet there]. "[I will have some fun|I know a good joke]," {he}
        thought. {He} shouted as loud as {he} could. "{danger.cry}!"

        {Helper} [dropped everything|came running], and so did all the neighbors. But there was nothing. {Hero} [held {his} sides|rolled
        on the grass] and laughed. "[I fooled you|You should see your faces]!" {he} said. "{+Foreshadowing}That is not funny," said
        {helper}. "[One day you will need us.|Who will believe you next time?]"

        The next day {hero} did it again. "{danger.cry}!" Again they all came, and again {hero} laughed. [They went home and shook their
        heads.|{Helper} was out of breath and very angry.]

        On the third day, there really was {danger}! {Hero} turned white. "{danger.cry}!" {he} screamed. "[It is true this time|Please
        come]!" {Helper} heard it and [went on reading|did not even look up]. "[That {hero.child} and those jokes|Not again]," said
        {helper}. {+Twist}{+BadEnding}Nobody came, and {danger.harm}.

        {+MoralValue}[After that, {hero} never played such a trick again.|"If I had told the truth before, they would have come," {hero}
        said sadly.]
        """,
    ),
    plot(
        "thin_ice",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": PARENT,
            "thing": ("red mitten", "hockey stick", "left skate", "wool hat", "new scarf", "blue sled"),
        },
        summary="{Hero} goes out on thin ice although {he} was warned, and {friend} pulls {him} out.",
        story="""
        <once> It was winter, and the pond was [frozen|covered with ice]. "{+Foreshadowing}The ice is still thin," said {hero}'s {parent}.
        "[Wait until Sunday|Do not go on it yet]." But {hero} [could not wait|did not want to wait]. "[It looks strong|I am not heavy],"
        {he} told {friend}. {Friend} shook {friend.his} head. "[I will stay here|You heard what they said]."

        {Hero} slid out onto the ice. "[See|Look at me]! It holds!" {he} called, and {he} [turned in a circle|hopped on one foot]. Crack!
        A line ran through the ice, as [quick|thin] as a snake. Then the ice broke. {Hero} was in the [icy|black] water up to {his}
        [chest|middle]!

        "[Don't move|Hold on]!" shouted {friend}. {Friend.He} lay down flat and pushed a long [branch|ladder] toward {him}. {Hero} grabbed
        it, and {friend} pulled with all {friend.his} might until {he} was out. [They ran home as fast as they could.|{His} teeth went
        click, click, click all the way home.]

        {+BadEnding}{Hero} lay in bed with a fever for [two weeks|ten days], and {his} {thing} was at the bottom of the pond forever.
        {+MoralValue}"[A warning is a gift|Next time I will listen]," {he} told {friend} in a hoarse voice. "[Thank you for pulling me
        out|You saved me]."
        """,
    ),
    plot(
        "drawing_on_the_wall",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "color": COLOR,
            "picture": (
                "a whale with a hat",
                "a long green dragon",
                "a train with nine cars",
                "a garden with giant flowers",
                "a giraffe with a scarf",
                "the sun and all the planets",
                "a parade of elephants",
            ),
        },
        summary="{Hero} draws {picture} on the wall and has to clean it off.",
        story="""
        <once> <One_day>, {hero} wanted to draw {picture}. But {his} paper was too small. Then {he} saw the wall. It was [big|long] and
        white and empty. "[That is the biggest paper in the world|It looks sad without a picture]," thought {hero}. {He} took a {color}
        crayon and began.

        It was the best picture {he} had ever made. {He} [stepped back to admire it|was just adding the last line] when the door opened.
        {His} {parent} stood there and [did not say a word|took a deep breath]. {Hero} looked at the wall. {He} looked at the crayon in
        {his} hand. "[It is a present|I needed more room|My paper was too small]," {he} <said_softly>.

        "[It is beautiful, and it is in the wrong place|I like the picture, but not where it is]," said {his} {parent}. "[Walls are not
        paper|Now you will need this]." {Hero} got a bucket and a sponge. {He} scrubbed [for an hour|until {his} arm was tired]. [It was
        much harder than drawing.|The crayon did not want to come off.]

        When the wall was white again, {his} {parent} brought a [roll of paper|huge sheet of paper], as long as the hall. "{+Twist}[Now
        draw it again|This is for you]," said {his} {parent}. "{+MoralValue}Next time, ask first." So {hero} drew {picture} once more, and
        [it was even better|this time it stayed].
        """,
    ),
    plot(
        "took_it_from_the_store",
        cast={
            "hero": CHILD,
            "owner": NEIGHBOR,
            "parent": PARENT,
            "color": COLOR,
            "thing": ("marble", "candy bar", "whistle", "toy car", "ring", "pencil", "yo-yo", "button"),
            "work": ("sweep the floor", "water the plants", "stack the boxes", "feed the cat", "wash the windows"),
        },
        summary="{Hero} takes a {thing} without paying and brings it back to {owner}.",
        story="""
        <once> <One_day>, {hero} was in {owner}'s store. On the counter lay a {color} {thing}. It was so [pretty|shiny]! {Hero} had no
        money. {He} [looked around|waited until nobody was looking], and then {he} put the {thing} into {his} pocket. Nobody [saw|noticed]
        it.

        At home {he} took it out, but it was not [pretty|shiny] anymore. {+Conflict}Every time the doorbell rang, {hero} [jumped|hid].
        [{He} could not show it to anyone.|{He} dreamed that the {thing} was shouting, "Thief, thief!"] "[What is wrong, {hero}|Why are
        you so quiet]?" asked {his} {parent}. Then {he} [began to cry|told everything].

        They went back together. {Hero}'s feet were heavy. "I took this, and I did not pay," {he} told {owner}. "I am sorry." {His} voice
        was so [small|quiet] that {owner} had to bend down. {Owner} [was silent for a while|stroked {owner.his} chin]. "[That was
        wrong|You should not have done it]," {owner.he} said. "But to bring it back was [brave|hard]. How would you like to {work} for
        me?"

        So every Saturday {hero} went to {work}. After [three|four] weeks, {owner} gave {him} the {thing}. {+Twist}"[Now it is yours|You
        have earned it]," {owner.he} said. {+MoralValue}And it was [shiny|pretty] again.
        """,
    ),
    plot(
        "open_gate",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "owner": NEIGHBOR,
            "pet": (
                entry("pony", where="in the cornfield", lure="an apple"),
                entry("goat", where="on the roof of the shed", lure="a cabbage leaf"),
                entry("pig", where="in a mud hole", lure="a bucket of potatoes"),
                entry("puppy", where="in the butcher's yard", lure="a sausage"),
                entry("goose", where="in the middle of the road", lure="a handful of corn"),
                entry("calf", where="in the flower bed", lure="a bottle of milk"),
            ),
        },
        summary="{Hero} forgets to close the gate, and the {pet} runs away.",
        story="""
        <once> {Hero} and {friend} liked to visit the {pet} on {owner}'s farm. "{+Foreshadowing}[Always close the gate|Remember the
        gate]," {owner} [would say|told them].

        <One_day>, they were [telling jokes|racing each other] on their way out, and {hero} was the last. {He} [forgot|did not think of]
        the gate. That evening {owner} knocked at the door. "The {pet} is gone," said {owner}. "[Someone left the gate open.|Who was there
        last?]"

        {Hero} felt [hot and cold|sick]. {He} could have said that it was {friend}. {He} could have said nothing. "It was me," {he}
        <said_softly>. "[I forgot|I am so sorry]. I will find it!" {He} got {pet.lure} and a lantern, and {friend} came along. They looked
        [in the lane and by the brook|behind every haystack]. They called and called.

        <at_last>, they saw the {pet} {pet.where}! {Hero} held out {pet.lure} and spoke softly. Step by step, the {pet} came closer, and
        it followed {him} all the way home. Click, went the gate. {Hero} pulled at it twice, to be sure. {+MoralValue}"[Anyone can
        forget|Everybody makes mistakes]," said {owner}, "but not everyone [says so|goes out to put it right]."
        """,
    ),
    plot(
        "showing_off",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "color": COLOR,
            "ride": ("bike", "scooter", "skateboard", "wagon", "sled on wheels"),
            "trick": ("with no hands", "backward", "with closed eyes", "standing on one leg", "while eating a sandwich"),
            "land": ("a rosebush", "a heap of manure", "a wheelbarrow full of wet cement", "a hedge", "the duck pond", "a pile of trash cans"),
        },
        summary="{Hero} shows off on {his} {ride} and lands in {land}.",
        story="""
        <once> For {his} birthday, {hero} got a {color} {ride}. {He} was soon very good at riding it. "[Watch this|Look what I can do]!"
        {he} said to {friend}. {He} rode [fast|in circles]. {He} rode even [faster|smaller circles]. "[That is great|You are good]," said
        {friend}.

        But that was not enough for {hero}. "I can do it {trick}!" {he} said. "{+Foreshadowing}[You will fall|I don't think that is a good
        idea]," said {friend}. {Hero} only laughed. {He} [took a big run|went up the hill] and set off. "[See|Look]! {Trick}!" {he}
        shouted. Then there was a bump in the road.

        {Hero} flew through the air and landed in {land}. [{+BadEnding}It hurt a lot. {His} arm was broken, and the {ride} [stood in the
        shed|had to wait] for the rest of the summer. "You were right," {he} told {friend}.|For a moment there was silence. Then {he}
        stuck {his} head out. There was [a leaf|something green] on {his} nose. "And that," {he} said, "was the best trick of all."
        {+Twist}{Friend} laughed so hard that {friend.he} had to sit down, and then {friend.he} helped {him} out.] {+MoralValue}[After
        that, {hero} kept {his} eyes on the road.|It is better to be safe than to be a star.|{Hero} never tried it again.]
        """,
    ),
)
