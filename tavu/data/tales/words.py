"""The verbs, nouns and adjectives that a tale's prompt may request: one of each, as in TinyStories prompts.

Only words that tales use as one part of speech: "play", "light" and "kind" are not included. Every possible rendering of every plot contains
words of all three kinds: a test checks this.
"""

import re

from tavu.data.tales.template import Pick


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = _words(
    """admire agree agreed arrive ask asked bake baked banged barked bark beeped believe bent blew blinked bobbed borrow bought bowed breathe
    breathed bring brought bumped burn burned burst buzzed called came carried carry caught chased cheered chew chewing clapped cleaned
    climb climbed closed complain coughed counted crawl crawled creaked creep creeping crept crossed crouched danced dancing dipped
    disappeared dived divided dragged drank drew dried drifted drummed dug earn earned eat eaten emptied fell fetched filled find fished
    flapped flew floated flung folded follow followed forget forgot found froze gathered gave giggled glowed grabbed grew grinned groaned
    grow growled grumbled guess handed happened hear heard hid hiccuped hopped howled hugged hummed hurried invited itched joined juggled
    jumped kicked knitted knocked laughed learn learned leaned lick licked lifted listen listened lost melted mended moaned mumbled nibble
    nodded opened packed panted peeked peeped picked poked poured practiced pretended pulled puffed pushed quacked raced raked reached
    remember remembered rhymed roared rocked rode rolled rubbed ruffled rushing sailed sang sat scold scratched screamed screeched scrubbed
    search searched sewed shared shivering shook shouted shoveled shrieked shrugged sighed sing singing skip slept slid slipped smelled
    smiled snatched sneezed sniffed sobbed spilled splashed squeaked squealed squeezed stamped stared stepped stirred stroked swallowed swam
    swept swim taste tasted teach thank thanked threw tickled tiptoed tossed trembled tripped trotted tucked tumbled waited wagged wailed
    walked wander waved wept whispered whistled wiped wobbled wondered wrapped yawned yelled"""
)
NOUNS = _words(
    """acorn ants apple apples arm armchair attic autumn baby backpack badger bag balcony ball balloon banana barn basket bathtub beach bean beans
    bear beard beaver bed bees beetle bell bench berries birch bird birdhouse birthday blackbird blanket boat bone bones book books boots
    bottle bowl box boy branch branches bread breakfast bridge brook brother bucket bush butter buttercups butterfly button cabbage cake
    candle candles candy cap car carrot carrots castle cat caterpillar cave chair chairs cheeks cheese cherries chest chick chicken child
    children clock closet cloud clouds coat cocoa coin coins cookie cookies corner cousin cow crab crayon crayons cricket crow crumb crumbs
    cup cupcakes curtain curtains dad daisies daisy deer desert detective dinner dinosaur doctor dog door doughnuts dragon dragonfly drum
    duck duckling ducks ear ears earth egg eggs elephant elephants evening eyes face feather feathers feet fence fern fiddle fingers firefly
    flashlight floor flour flower flowerpot flowers fog foot forehead forest fountain fox friend friends frog garden gate ghost giant gift giraffe
    girl glue goat goose grandma grandpa grass grasshopper hair hat hay hedge hedgehog helper hen hens hill hills hole honey horn horse
    hospital house houses ice island jam jar juice jungle kitchen kite kitten knee knees knight ladder ladybug lake lamb lamp lantern leaf
    leaves legs lemon lemonade letter library lighthouse lion log lunch mailbox map marble market meadow medal melon milk mirror mitten mole
    mom money monkey monster moon moth mother mountain mouse mouth mud muffin muffins museum music neighbor nest night nose notebook nurse
    nuts oak octopus owl paint pancakes paper parade parrot party path paw pear pears pebble pencil penguin penguins piano pie pig pillow
    pillows pirate pirates plane planets pocket pond pony pool potato pudding puddle puddles pumpkin puppet puppets puppy purse queen rabbit
    raccoon rain rainbow raspberries raven ribbon ribbons rice river road robber robin robot roof room roots rope rose roses sand sandbox
    sandcastle sandwich sausage scarecrow scarf school sea seaweed seed shadow sheep shelf shell shells ship shirt shoe shoes shovel sister
    sky sled sleeve slipper smoke snail snow snowball snowman soap sock socks sofa soup sparrow spider spinach sponge spoon spoons squirrel
    stairs star starfish stars statue sticks stone stones store storm story stove strawberries street string summer sun sunflower supper
    swallow sweater table tail teapot tear tears teddy teeth thread throat thunder tiger toad toast tongue tooth toothbrush tortoise tower
    town toy toys train trains treasure tree trees truck trumpet trunk tulips tummy turtle umbrella uncle vase village violets voice waffles
    wagon wall wallet wasp wave waves whale whales wheel wheels whiskers wind window wing wings winter wolf wood woods woodpile word words
    worm yard yarn zebra zoo"""
)
ADJECTIVES = _words(
    """afraid alive alone angry ashamed asleep awake bare beautiful big bigger biggest bitter black blue bored boring bouncy brave bright brown
    busy cheerful clear clever cold cozy crooked crowded curious dark deep delicious delighted different dim dirty dizzy dull dusty easy
    empty fast fat favorite fluffy foggy friendly frightened frozen full funny furious gentle glad gloomy golden good grand gray great green
    happy hard heavy high hollow honest hot huge hungry icy juicy large lively lonely long loud lovely lucky marvelous merry messy mossy
    muddy narrow naughty new nice noisy odd old oldest orange pale patient pink playful pleased polite poor pretty prickly proud purple
    quick quiet red rich ripe round rude rusty sad safe scared scary shaggy shaky sharp shiny shy sick silent silly silver slow small smart
    smooth snug soft sore sorry sour splendid spotted steep stormy strange striped strong sunny sure sweet tall terrible thick thickest thin
    thirsty tight tiny tired true ugly unhappy upset warm wet white whole wide wild windy wonderful wooden woolly wrong yellow young"""
)

_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")


def three_words(text: str, pick: Pick) -> tuple[str, str, str]:
    """A verb, a noun and an adjective that occur in the text."""
    found = dict.fromkeys(_WORD.findall(text))  # a dict, because sets are unordered
    verb, noun, adjective = ([word for word in found if word in known] for known in (VERBS, NOUNS, ADJECTIVES))
    return verb[pick(len(verb))], noun[pick(len(noun))], adjective[pick(len(adjective))]
