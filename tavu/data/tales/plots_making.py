"""Plots of making things: a plan, a mishap, a better plan."""

from tavu.data.tales.lexicon import CAKE, CHILD, COLOR, NEIGHBOR, PARENT, entry
from tavu.data.tales.plot import plot

MAKING = (
    plot(
        "does_not_fly_yet",
        cast={
            "hero": CHILD,
            "helper": NEIGHBOR,
            "color": COLOR,
            "thing": (
                entry(
                    "kite",
                    made="paper and two sticks",
                    fails="It fell on its nose",
                    why="It needs a tail",
                    fix="tied a long tail of ribbons to it",
                    works="rose up over the trees",
                ),
                entry(
                    "boat",
                    made="a milk carton",
                    fails="It tipped over",
                    why="It needs something heavy at the bottom",
                    fix="put a flat stone inside",
                    works="sailed across the pond",
                ),
                entry(
                    "paper plane",
                    made="an old map",
                    fails="It dropped like a stone",
                    why="The wings are too small",
                    fix="folded the wings again",
                    works="flew in a big circle",
                ),
                entry(
                    "birdhouse",
                    made="a few boards",
                    fails="No bird came",
                    why="The hole is too small",
                    fix="made the hole bigger",
                    works="soon had two blue tits in it",
                ),
                entry(
                    "parachute",
                    made="a handkerchief",
                    fails="It fell straight down",
                    why="The strings are not the same length",
                    fix="cut new strings",
                    works="floated down like a feather",
                ),
                entry(
                    "wagon",
                    made="a box and four wheels",
                    fails="It only went in circles",
                    why="One wheel is bigger than the others",
                    fix="found a better wheel",
                    works="rolled down the lane as straight as an arrow",
                ),
            ),
        },
        summary="{Hero} makes a {thing} that does not work, and with some advice from {helper} {he} tries again.",
        story="""
        <once> <One_fine_day>, {hero} made a {thing} out of {thing.made}. {He} painted it {color}[ and wrote {his} name on it|]. [It took
        {him} all morning.|{He} was very proud of it.] "[Now watch this|Here we go]!" {he} said.

        But it did not work. {thing.fails}. {Hero} tried again. [It was no better.|It was the same as before.] {He} tried [five|six|three]
        times. "[You silly thing|This is no good]!" {he} shouted, and {he} [threw {his} cap on the ground|kicked a stone].

        {Helper} looked over the fence. "[May I have a look?|What is the trouble?]" {helper.he} asked. {Helper.He} turned the {thing} this
        way and that way. "[It is a fine {thing}|You have done good work]," {helper.he} said. "{thing.why}. [That is all.|Mine was just
        the same, when I was your age.]"

        {Hero} [picked up {his} tools|dried {his} eyes] and went back to work. {He} {thing.fix}. Then {he} tried one more time. [{He}
        hardly dared to look.|{He} crossed {his} fingers.] And the {color} {thing} {thing.works}!

        "[It works|Look, look]!" shouted {hero}. {Helper} clapped {helper.his} hands. "[I knew you could do it|Well done]," {helper.he}
        said. {+MoralValue}"[Each time it failed, you learned something|The trick is to try one more time]."
        """,
    ),
    plot(
        "sandcastle",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "top": ("white feather", "starfish", "pink shell", "bit of green glass", "crab's claw", "paper flag"),
            "moat": ("a deep ditch", "a wall of stones", "a fence of driftwood", "a ring of shells", "a round moat"),
        },
        summary="{Hero} and {friend} build a sandcastle, and the sea [takes it away|washes it away].",
        story="""
        [<once>|] <One_fine_day>, {hero} and {friend} were at the beach. They built a [huge|tall|grand] sandcastle. {Hero} [filled the
        buckets|carried wet sand], and {friend} [made the towers|shaped the walls]. They made {moat} all around it, and on the highest
        tower they put a {top}. "It is the finest castle in the world!" said {hero}.

        {+Foreshadowing}They did not see that the sea was coming [closer|nearer and nearer]. First a little wave [kissed|licked] the wall.
        Then a bigger one came. "[Quick|Hurry], save the castle!" <cried_out> {friend}. They [threw sand|dug and dug]. But the sea was
        stronger. Splash! A wave rolled over the castle, and when it went back, there was only a [bump|smooth hill] of sand.

        {Hero} felt like crying. [All that work!|It had taken them the whole day!] [{+BadEnding}{He} looked for the {top}, but it was gone
        as well. "I do not want to build another one," {he} said. They picked up their buckets and walked home without a word.| But
        {friend} began to laugh. "[The sea liked it so much that it took it home|Now the fish have a castle]," {friend.he} said. {Hero}
        looked out at the waves. {He} thought of a fish sitting in the tower, and {he} laughed too. "Tomorrow we will make one [for the
        whales|twice as big]," {he} said. "{+MoralValue}[And building is the best part anyway|The fun was in the making]."]
        """,
    ),
    plot(
        "salt_in_the_cake",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "parent": ("mom", "dad", "grandma", "grandpa"),
            "cake": CAKE,
            "fruit": ("melon", "mango", "pineapple", "loaf of bread", "cheese"),
        },
        summary="{Hero} and {his} {friend.sibling} bake a {cake} as a surprise, but they mix up the sugar and the salt.",
        story="""
        It was {Parent}'s birthday. {Hero} and {his} {friend.sibling} {friend} wanted to bake a {cake}[ all by themselves| as a
        surprise|]. "[I will crack the eggs|I will stir]," said {hero}. "And I will measure," said {friend}. Flour flew through the
        kitchen [like snow|until they both were white]. They put in butter and eggs, and {+Foreshadowing}two big cups from the white jar.

        The {cake} came out of the oven [golden and high|brown and round]. It looked <great>. They carried it to the table and sang.
        {Parent} [blew out the candles|clapped], cut a slice, and took a big bite.

        Then {Parent} [made a strange face|turned red|stopped chewing]. "[Mmm|My, my]," said {Parent}, and drank a whole glass of water.
        "[This is very... special|I have never had a cake like this]." {Hero} took a bite too. [Yuck|Ugh]! {+Twist}The white jar had been
        full of salt!

        {Hero} and {friend} looked at each other in horror. But {Parent} laughed until [the plates shook|the tears came]. "[It is the
        thought that counts|You made me laugh, and that is the best present]," said {Parent}. So they put the candles into a big {fruit}
        and ate that instead. {+MoralValue}And next time they tasted what was in the jar [first|before they used it].
        """,
    ),
    plot(
        "blot_on_the_picture",
        cast={
            "hero": CHILD,
            "parent": PARENT,
            "spilled": ("black ink", "brown paint", "blue paint", "cocoa", "grape juice", "purple paint"),
            "picture": (
                "a house with a garden",
                "the whole family",
                "a ship on the sea",
                "a queen on a horse",
                "a field of flowers",
                "a castle on a hill",
            ),
            "became": (
                entry("a whale", how="a tail and a small eye"),
                entry("a bear", how="two round ears and four paws"),
                entry("a storm cloud", how="rain and a flash of lightning"),
                entry("a fat hen", how="a beak and two thin legs"),
                entry("a dragon", how="wings and a puff of smoke"),
                entry("a hedgehog", how="a hundred little spikes"),
            ),
        },
        summary="{Hero} spills {spilled} on {his} picture and turns the blot into {became}.",
        story="""
        <once> <One_day>, {hero} was painting a picture for {his} {parent}. It showed {picture}. [{He} stuck out {his} tongue, because it
        was hard work.|{He} used every brush {he} had.|It was nearly done.] Only the sky was missing.

        {Hero} reached for the [yellow|light blue] paint. Oops! {His} elbow hit a cup, and {spilled} ran over the paper. In the middle of
        the picture was a big, ugly blot. "[It is ruined|Now it is spoiled]!" {hero} [wailed|cried]. {He} wanted to [tear it up|throw it
        in the trash].

        [But before {he} did, {he} took one more look.|But first {he} looked at it once more.] {He} turned the paper [upside down|to the
        left and to the right]. The blot had a [funny|round] shape. It looked like something. {Hero} took {his} [thinnest brush|pencil]
        and gave it {became.how}. {+Twist}Now it was {became}!

        {His} {parent} [hung the picture on the wall|put the picture in a frame] and [looked at it|laughed with delight]. "I have never
        seen such a <great> picture," said {his} {parent}. "And {became} is the best part. How did you think of that?"

        {Hero} [winked|<smiled>]. {+MoralValue}"It was an accident," {he} said, "[and then it was an idea|but some accidents are lucky]."
        """,
    ),
    plot(
        "the_seed",
        cast={
            "hero": CHILD,
            "elder": ("grandma", "grandpa", "neighbor", "uncle", "aunt"),
            "plant": (
                entry("bean", grown="a bean plant that reached the window", soon="tiny green"),
                entry("sunflower", grown="a sunflower, taller than the door", soon="pale green"),
                entry("pumpkin", grown="a pumpkin as round as the moon", soon="curly green"),
                entry("melon", grown="a melon that {he} could hardly lift", soon="small green"),
                entry("poppy", grown="a poppy as red as a fire engine", soon="thin green"),
                entry("pea", grown="a row of peas, sweet as candy", soon="bright green"),
            ),
        },
        summary="{Hero} plants a {plant} seed and learns to be patient.",
        story="""
        <once> <One_day>, {hero} was given a [small|hard|little] seed by {his} {elder}. "[There is a {plant} asleep inside|Inside it is a
        whole {plant}]," said {his} {elder}. "Give it earth, water and time."

        {Hero} put the seed in a pot of earth, and {he} gave it water. Then {he} sat down and waited. [Nothing happened.|An hour went by.]
        "[Hurry up|Wake up]!" {he} told it. The next day there was nothing. The day after that there was nothing. {Hero} wanted to dig it
        up and look.

        "[Then it will never grow|Do not do that]," said {his} {elder}. "It is working in the dark where you can't see it. [You must trust
        it.|Waiting is a kind of work, too.]" So {hero} waited. {He} [sang to it|told it about {his} day] and did not [forget the
        water|let it get thirsty].

        One morning there was a {plant.soon} tip! "[It is awake|It heard me]!" <cried_out> {hero}. The tip became a stem, and the stem had
        leaves. {Hero} [measured it with a ruler|drew a line on the wall] every week. And at the end of the summer, there was
        {plant.grown}.

        {He} [picked out one seed|saved one seed] and put it in {his} {elder}'s hand. {+MoralValue}"Give it earth, water and time," said
        {hero}.
        """,
    ),
    plot(
        "the_tower",
        cast={
            "hero": CHILD,
            "friend": CHILD,
            "blocks": ("blocks", "boxes", "books", "tin cans", "flat stones", "cups", "bricks"),
            "height": ("the table", "the window", "the door handle", "{his} own nose", "the lamp"),
            "crash": ("Crash", "Bang", "Rumble, rumble, crash", "Clatter"),
        },
        summary="{Hero}'s tower of {blocks} keeps falling down, until {friend} [has an idea|gives {him} a good idea].",
        story="""
        <once> <One_day>, {hero} was building a tower out of {blocks}. It was going to be as high as {height}. {He} put one on top of the
        other. The tower grew. It [swayed|wobbled]. {Crash}! It all fell down.

        "[Not again|Oh, bother]!" said {hero}. {He} tried once more, [slowly and carefully|holding {his} breath]. {Crash}! [The cat ran
        out of the room.|This time one of them hit {his} toe.] {Hero} was so [cross|angry] that {he} [stamped {his} foot|threw one across
        the room].

        {His} {friend.sibling} {friend} came in. "[What a mess|What a noise]!" {friend.he} said. {+Conflict}"[Go away|Leave me alone],"
        said {hero}. But {friend} did not go. {Friend.He} sat down on the floor and [thought|looked]. "Trees have roots," {friend.he}
        said, "and houses are wide at the bottom. Your tower stands on one leg."

        {Hero} [looked at the pile|frowned at the pile]. "Then we must make it [fat|wide] at the bottom," {he} said slowly, "and thin at
        the top!" They built [together|side by side], first wide, then narrow. Higher and higher it went, past the [chair|stool], up to
        {height}. And it did not fall.

        "[Do not sneeze|Nobody move]!" whispered {friend}. {+MoralValue}They laughed, and the tower shook a little, but it stood.
        <the_end>
        """,
    ),
)
