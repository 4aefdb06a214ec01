"""Plots of being afraid, and of what helped."""

from tavu.data.tales.lexicon import CHILD, NEIGHBOR, PARENT, SOFT_TOY, TEACHER, entry
from tavu.data.tales.plot import plot

COURAGE = (
    plot(
        "shadow_on_the_wall",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "toy": SOFT_TOY,
            "thing": (
                entry("coat on a hook", looks="a tall man with no head"),
                entry("chair with clothes on it", looks="a monster with a hump"),
                entry("plant by the window", looks="a giant spider"),
                entry("lamp with a hat on it", looks="a witch"),
                entry("broom in the corner", looks="a thin ghost with wild hair"),
                entry("kite on the closet", looks="a bat as big as a dog"),
                entry("pile of pillows", looks="a sleeping bear"),
            ),
        },
        summary="{Hero} is afraid of a shadow in {his} room at night, but it is only a {thing}.",
        story="""
        <once> <One_evening>, {hero} lay in bed and could not sleep. [The house was still.|The moon shone into the room.|Outside, the wind
        was humming.] There was something in the corner. It was [dark|big and black], and it looked like {thing.looks}!

        {Hero} [pulled the blanket over {his} head|hugged {his} {toy} and did not dare to breathe]. {His} heart went thump, thump, thump.
        "[Go away|Leave me alone]," {he} whispered. The thing [did not move|said nothing]. It just [stood|stayed] there and
        [waited|watched].

        "{Parent}!" {hero} called[ at last|]. The door opened. "[What is the matter?|Can't you sleep?]" asked {his} {parent}.

        "There is [a monster|something scary] in the corner!" said {hero}. {His} {parent} [turned on the light|lit a candle]. And what did
        they see? {+Twist}It was only a {thing}!

        {Hero} had to laugh. [{He} got up and shook its hand. "Good night, monster," {he} said.|"You gave me a fright," {he} told it.]
        [Then the light went out again. The shadow was still there, but now {hero} knew its name.|{His} {parent} tucked {him} in, and soon
        {he} was [snoring|fast asleep].] [{+MoralValue}In the light, most monsters are very small.|] <the_end>
        """,
    ),
    plot(
        "thunder",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "game": (
                entry("count", do="counted from the flash to the boom. First it was two, then five, then nine"),
                entry("drum", do="banged on pots and pans, louder than the sky"),
                entry("sing", do="sang every song they knew, and the thunder played the drum"),
                entry("build a den", do="made a den out of blankets and chairs and crawled in with a lamp"),
                entry("tell a story", do="made up a story about a giant who was bowling in the clouds"),
            ),
        },
        summary="{Hero} is afraid of the thunder until {he} and {his} {friend.sibling} {friend} make a game of it.",
        story="""
        [<once>|] <One_evening>, [dark clouds rolled in|the sky turned black]. Rain [beat against|drummed on] the windows. Flash! The
        whole room was white. Boom! The thunder [shook|rattled] the cups on the shelf.

        {Hero} [screamed|jumped] and crawled under the table. "[I hate thunder|Make it stop]!" {he} cried, and {he} put {his} hands over
        {his} ears.

        {His} {friend.sibling} {friend} [lay down on the floor|crouched down] and looked at {him}. "I don't like it either," {friend}
        said. "[But it cannot come in.|But it is only noise.] Do you know what helps? We can {game}!"

        "[How?|Will that help?]" asked {hero}. [There was another flash.|Boom, said the sky again.] So they {game.do}. [At first, {hero}'s
        voice was shaky.|At first {hero} held on tight to {friend.his} sleeve.] But they got so busy that {he} [forgot to be afraid|hardly
        heard the storm].

        [Then|After some time] it was quiet. "Is it over [already|so soon]?" said {hero}, and {he} was almost sorry. [They opened the
        window. The air smelled of wet grass.|A star came out between the clouds.] "Next time," {he} said, "I will show the [cat|baby|dog]
        how to {game}." [{+MoralValue}Fear is smaller when there are two.|]
        """,
    ),
    plot(
        "big_slide",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "thing": (
                entry("slide", high="at the playground", go="let go. Whoosh! Down {he} went"),
                entry("diving board", high="at the pool", go="jumped. Splash! The water swallowed {him} and then gave {him} back"),
                entry("hill", high="behind the school", go="pushed off with {his} sled. Swish! The snow flew left and right"),
                entry("rope bridge", high="in the forest", go="took one step, and another. The bridge wobbled, but it held"),
                entry("rock", high="by the sea", go="found a place for one foot, and then for the other. Up {he} went"),
                entry("water slide", high="at the lake", go="closed {his} eyes and let go. Wheee! Around and around {he} went"),
            ),
        },
        summary="{Hero} is scared of the big {thing}, but {he} tries it when {he} is ready and loves it.",
        story="""
        <once> The {thing} {thing.high} was the [biggest|highest|steepest] {hero} had ever seen. [All the other children loved it|None of
        the other children were afraid of it]. {Hero} only [watched|stood there and watched].

        "[Do you want to try?|It looks like fun, doesn't it?]" asked {his} {parent}. {Hero} shook {his} head. {His} knees felt [soft|like
        jelly]. "[It is too high|My tummy hurts when I look at it]," {he} said.

        "[That is fine|You do not have to]," said {his} {parent}. "Being brave does not mean that you are not scared. It means you take
        [one small step|one little step at a time]."

        {Hero} thought about that. The next day {he} went a bit closer. The day after that {he} touched it with {his} [hand|toe]. And on
        the third day {he} said, "[Today|Now] I will do it. [Don't help me|Just watch me]!" {He} took a deep breath and {thing.go}!

        [{Hero} was so surprised that {he} forgot to scream.|For a moment {hero} did not know where {he} was.] Then {he} [laughed out
        loud|threw {his} arms in the air]. "[Again|I did it|I want to do it again]!" {he} <cried_out>. {He} did it again,
        {+MoralValue}[ten|seven|twelve|twenty] times, until it was time to go home. <to_bed>
        """,
    ),
    plot(
        "barking_dog",
        cast={
            "hero": CHILD,
            "owner": NEIGHBOR,
            "name": ("Thunder", "Tiny", "Bear", "Tiger", "Rocky", "Muffin", "Lamb", "King"),
            "color": ("black", "brown", "gray", "shaggy", "spotted"),
            "gift": ("a piece of sausage", "an old tennis ball", "a bone", "a dog biscuit", "a long stick"),
        },
        summary="{Hero} is afraid of {owner}'s big dog, which only wants [a friend|somebody to play with].",
        story="""
        <once> On {his} way to school, {hero} had to pass the house of {owner}. Behind the fence lived a big {color} dog. [Every morning
        it ran up and down and barked.|Whenever it saw {hero}, it barked and barked.] {Hero} was so afraid that {he} [always ran past|went
        the long way around].

        <One_day>, the gate was open. The dog came out and walked right up to {hero}! {He} [froze like a statue|could not move]. [{He}
        closed {his} eyes.|{He} wanted to scream, but no sound came out.] Then {he} felt something [wet and warm|soft and wet] on {his}
        hand. {+Twist}The dog was licking {his} fingers!

        "[That is {name}|Don't be afraid of {name}]," said {owner} from the door. "{name} barks because nobody ever stops to [play|say
        hello]. It gets lonely behind a fence."

        {Hero} looked into the brown eyes of the dog. They did not look [mean|wild] at all. [The tail was wagging so hard that the whole
        dog shook.|{name} rolled over to have a tummy rub.]

        Every morning after that, {hero} brought {gift} and stopped at the fence. {name} still barked. But now {hero} knew what it meant.
        {+MoralValue}It meant "[Good morning, friend|Come and play]!"
        """,
    ),
    plot(
        "on_the_stage",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "teacher": TEACHER,
            "part": (
                entry("the moon", line="I light the way for all who roam"),
                entry("a snowflake", line="I fall without a sound"),
                entry("the lion", line="I am the king, and I am hungry"),
                entry("a tree", line="I have stood here for a hundred years"),
                entry("the wind", line="I blow the ships across the sea"),
                entry("the north star", line="Follow me and you will find your home"),
                entry("the old bear", line="I have slept since fall, and I want my honey"),
            ),
        },
        summary="{Hero} has stage fright in the school play, and {friend} helps {him} to say {his} line.",
        story="""
        [<once>|] {Hero}'s class was putting on a play, and {hero} was {part}. {He} had only one line: "{part.line}." {He} said it in the
        bathtub. {He} said it to the [cat|goldfish|mirror]. {He} knew it as well as {his} own name.

        Then the big evening came. {Hero} peeked through the curtain. [So many faces!|There were a hundred people out there.|Every seat
        was taken.] {His} mouth went dry. "I can't do it," {he} told {teacher}. "[I have forgotten everything|I want to go home]."

        "[I am scared too|My hands are shaking, see]," whispered {friend}, who was [a mouse|a cloud|the queen|a frog] in the play. "Do
        what I do. Look for one face that you like, and say it just to that face."

        The curtain went up. {Hero} stepped into the light. [For a moment it was terribly quiet.|Somebody coughed.] Then {he} saw {his}
        [grandma|grandpa|dad|mom] in the [third|second|last] row, waving with [a blue scarf|both hands|the program]. {Hero} took a breath.
        "{part.line}!" {he} said, loud and clear.

        Everybody clapped. {Hero} [bowed|made a bow], and {his} ears turned red with joy. {+MoralValue}"[It worked|Your trick worked],"
        {he} whispered to {friend}[, and {friend} squeezed {his} hand|].
        """,
    ),
    plot(
        "at_the_doctor",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "toy": SOFT_TOY,
            "who": (
                entry("doctor", where="a shot in the arm", did="felt a tiny prick, as if a [mosquito|bee] had made a mistake"),
                entry("dentist", where="a hole in {his} tooth", did="heard a buzz like a bumblebee, and it tickled"),
                entry("eye doctor", where="new glasses", did="read all the letters from the big E to the tiny Z"),
                entry("barber", where="a haircut", did="heard snip, snip, snip, and curls fell to the floor like feathers"),
            ),
        },
        summary="{Hero} is afraid of going to the {who}, but it is over before {he} knows it.",
        story="""
        <once> <One_day>, {hero} had to go to the {who}. "[Please, not today|I don't want to go]!" {he} told {his} {parent}. {He} was
        [afraid|scared]. {He} knew what was coming: {who.where}. {He} [hid in the closet|held on to the table|walked as slowly as a
        snail].

        "[You can bring your {toy}|Your {toy} may come along]," said {his} {parent}. "Maybe it is scared as well, and it needs you."
        {Hero} [thought about that|looked at the {toy}]. It did look a little [pale|worried]. So {he} carried it [all the way|under {his}
        arm] and told it to be brave.

        The {who} [had a kind voice|wore a bow tie|had a funny laugh]. "Who is first?" the {who} asked. {Hero} held up the {toy}. So the
        {who} took care of the {toy} first. [It did not cry at all.|It was a very good patient.] "[Now it is your turn|And now you]," said
        the {who}. {Hero} [squeezed the {toy}|shut {his} eyes]. {He} {who.did}.

        "All done!" said the {who}. "[Already|Is that all]?" asked {hero}. [{He} even got a sticker, and so did the {toy}.|{He} was given
        a sticker with a star on it.] On the way home, {he} held {his} head high. "[We were very brave|That was nothing]," {he} told the
        {toy}.
        """,
    ),
    plot(
        "noise_in_the_attic",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "noise": ("Scratch, scratch", "Tap, tap, tap", "Rumble, bump", "Creak, creak", "Patter, patter"),
            "what": (
                entry("an owl with one white chick", then="They left the little window open, so that the owl could come and go"),
                entry("a gray cat with five kittens", then="They carried up a bowl of milk and a soft blanket"),
                entry("two young raccoons playing with an old shoe", then="They left the shoe where it was and closed the door"),
                entry("a squirrel with a mountain of nuts", then="They added three of their own nuts to the mountain"),
                entry("a dove that had flown in and could not get out", then="They opened the window, and the dove flew off into the evening sky"),
            ),
        },
        summary="{Hero} and {his} {friend.sibling} {friend} hear a strange noise in the attic and find {what}.",
        story="""
        [<once>|] <One_evening>, {hero} and {his} {friend.sibling} {friend} heard a noise. {noise}! It came from the attic. "[What is
        that?|Did you hear that?]" whispered {hero}.

        "[A ghost|A robber|A dragon]," said {friend} with big eyes. {noise}! There it was again. They [held hands|looked at each other].
        {Hero} wanted to [hide under the bed|put {his} head under a pillow], but {he} also wanted to know. "[Let us go and look|We will go
        together]," {he} said. "I will take the flashlight. You take [the umbrella|a wooden spoon|the tennis racket]."

        Up the stairs they went, one step at a time. [The stairs groaned.|It smelled of dust and old books.] {Hero} pushed the door open.
        {noise}! {His} hand was shaking, and the light [danced|jumped] over boxes and [trunks|old chairs]. Then {he} saw two
        [round|shiny|yellow] eyes!

        "[Oh|Look]!" said {friend}. {+Twist}It was not a ghost at all. It was {what}! {Hero} and {friend} laughed [softly|quietly], so as
        not to scare anyone. {what.then}. [After that, they were not afraid of the attic anymore.|"What a night," said {hero} when {he}
        went back to bed.]
        """,
    ),
    plot(
        "night_away_from_home",
        cast={
            "hero": CHILD,
            "elder": ("grandma", "grandpa", "aunt", "uncle"),
            "toy": SOFT_TOY,
            "miss": ("the clock in the hall", "the snoring of the dog", "{his} own bed", "the light under the door", "the sound of the trains"),
            "help": (
                entry("warm milk", did="It was warm milk with honey, and it tasted just like at home"),
                entry("a song", did="It was a song, the same one that {he} heard at home every night"),
                entry("a funny story", did="It was a story about a naughty little {hero.child} from long ago, and it made {him} giggle"),
                entry(
                    "a look at the moon",
                    did="Together they looked out of the window. There was the moon, the very same moon that shone on {his} house",
                ),
            ),
        },
        summary="{Hero} is homesick on {his} first night at {his} {elder}'s house, and {his} {elder} helps with {help}.",
        story="""
        <once> For the first time, {hero} was going to sleep at the house of {his} {elder}. {He} packed {his} pajamas, {his} toothbrush
        and {his} {toy}. All day long it was [wonderful|fun]. They [fed the hens|baked bread|played cards|picked beans] and [laughed a
        lot|sang old songs].

        But when it grew dark, everything was [strange|different]. The bed [was too big|creaked]. The pillow smelled of [roses|soap].
        {Hero} missed {miss}. [A tear ran down {his} cheek and fell on the {toy}.|{He} hugged the {toy} and sniffed.]

        There was a soft knock. "[Are you still awake?|May I come in?]" asked {his} {elder}. "I cannot sleep," {hero} <said_softly>. "[I
        miss home|I want to go home]."

        "[I know that feeling|I felt the same when I was small]," said {his} {elder}. "I know something that helps." {help.did}. [The room
        did not feel so strange anymore.|The lump in {his} throat went away.] {Hero} yawned.

        When {he} opened {his} eyes, the sun was shining[ and it smelled of toast|]. "Can I stay [one more night|another night]?" {hero}
        asked.
        """,
    ),
)
