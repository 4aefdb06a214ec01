"""The words that tales draw from: people, things, places. Pools are plain tuples; words that only one plot needs are in the plot's file.

Things are singular and countable ("a drum ... it") unless the pool's name says otherwise.
"""

from dataclasses import dataclass
from zlib import crc32

from tavu.data.tales.template import Forms


def entry(word: str, **forms: str) -> dict[str, str]:
    """One word and its forms: entry("drum", sound="boom") fills {toy} and {toy.sound}."""
    return {"": word, **forms}


@dataclass(frozen=True)
class People:
    """Characters with a name and pronouns. The second one in a story has the other gender, so that he and she are unambiguous."""

    she: tuple[Forms, ...]
    he: tuple[Forms, ...]

    def first(self, count: int) -> "People":
        """Those with the first `count` names of each gender, in hash order: names with the same first letter are easily confused."""

        def kept(people: tuple[Forms, ...]) -> tuple[Forms, ...]:
            names = sorted({str(person[""]) for person in people}, key=lambda name: crc32(name.encode()))
            return tuple(person for person in people if person[""] in names[:count])

        return People(kept(self.she), kept(self.he))


_SHE = {"he": "she", "him": "her", "his": "her", "himself": "herself", "sibling": "sister", "child": "girl"}
_HE = {"he": "he", "him": "him", "his": "his", "himself": "himself", "sibling": "brother", "child": "boy"}


def children(she: str, he: str) -> People:
    return People(
        she=tuple({**entry(name), **_SHE, "kind": "girl"} for name in she.split()),
        he=tuple({**entry(name), **_HE, "kind": "boy"} for name in he.split()),
    )


def animals(*kinds: str) -> People:
    """Little animals of these kinds, each with a name and pronouns: {hero.kind} is "rabbit"."""
    return People(
        she=tuple({**entry(name), **_SHE, "kind": kind} for kind in kinds for name in _ANIMAL_SHE.split()),
        he=tuple({**entry(name), **_HE, "kind": kind} for kind in kinds for name in _ANIMAL_HE.split()),
    )


def neighbors(she: tuple[str, ...], he: tuple[str, ...]) -> People:
    return People(she=tuple({**entry(name), **_SHE, "kind": "woman"} for name in she), he=tuple({**entry(name), **_HE, "kind": "man"} for name in he))


_ANIMAL_SHE = "Bramble Clover Dottie Fern Fizz Ginger Honey Lulu Mitzi Nutmeg Pip Pebbles Pepper Tansy Willow Twinkle"
_ANIMAL_HE = "Barnaby Biscuit Bo Brock Bumble Chip Fuzz Hugo Moss Nibbles Otto Rufus Tuff Tumble Wilbur Ziggy"

CHILD = children(
    she="Ada Aino Alice Alma Amina Amy Anna Bella Betty Bonnie Cara Carmen Clara Dina Dora Ella Elsa Emma Eva Fatima Fiona Freya Gina "
    "Greta Hana Heidi Ida Ines Iris Jane Jenny Julia Kate Katie Kiki Kitty Leah Leila Lena Lily Lola Lotta Lucy Maja Maria Maya Mei Mia "
    "Mila Millie Mina Molly Nadia Nelly Nina Nora Olga Olivia Paula Penny Polly Priya Rita Rosa Ruby Ruth Sally Sara Selma Sofia Stella "
    "Sue Susie Tara Tess Tilda Tina Uma Vera Wendy Yuki Zara Zoe",
    he="Aaro Abdul Adam Alex Ali Anton Arlo Ben Benny Billy Bobby Bruno Carl Carlos Charlie Dan Daniel David Diego Dylan Eddie Eetu Eli "
    "Elmer Emil Eric Erik Felix Finn Frank Fred Freddy Gabe George Gus Hans Harry Henry Ivan Jack Jake James Jamal Joe Joel Johnny Juan "
    "Karl Ken Kenji Kofi Lars Leo Leon Liam Louis Luca Luke Marco Mateo Matt Milo Nick Noah Nico Omar Onni Oscar Otis Paul Pete Peter "
    "Pablo Ravi Ron Sam Samir Simon Stan Theo Tim Timmy Toby Tom Tommy Victor Walter Yusuf",
)
WOODLAND = animals("rabbit", "squirrel", "hedgehog", "mouse", "badger", "raccoon", "mole", "chipmunk", "fox", "otter")
BIRD = animals("robin", "sparrow", "owl", "bluebird", "swallow", "finch", "crow", "wren")
PUPPY_OR_KITTEN = animals("puppy", "kitten")
NEIGHBOR = neighbors(
    she=("Mrs. Hill", "Mrs. Lind", "Mrs. Gray", "Mrs. Moon", "Mrs. Bell", "Miss Plum", "Miss Wren", "Miss Honeywell", "Aunt Rosa", "Aunt Tilly"),
    he=("Mr. Reed", "Mr. Brown", "Mr. Marsh", "Mr. Bloom", "Mr. Patel", "Mr. Rossi", "Mr. Frost", "Uncle Jim", "Uncle Bert", "Farmer Dale"),
)
TEACHER = ("Miss Plum", "Miss Wren", "Miss Lark", "Mr. Reed", "Mr. Bloom", "Mrs. Gray", "Mrs. Bell")  # no pronouns: used by name
PARENT = ("mom", "mom", "mom", "dad", "dad", "dad", "grandma", "grandpa")  # no pronouns: "his mom said"

COLOR = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "white", "silver", "golden", "brown", "striped", "spotted", "bright red",
         "bright blue", "pale green")  # fmt: skip
TOY = ("ball", "teddy bear", "rag doll", "toy train", "toy truck", "robot", "puppet", "toy boat", "drum", "toy dinosaur", "toy plane", "toy car",
       "toy rabbit", "toy elephant", "toy tractor", "toy giraffe", "toy penguin", "wooden duck", "toy lion", "fire engine", "toy rocket",
       "toy camel", "toy whale", "spinning top", "toy zebra")  # fmt: skip
SOFT_TOY = ("teddy bear", "rag doll", "toy rabbit", "toy elephant", "toy lion", "toy monkey", "toy lamb", "toy penguin", "toy fox", "toy owl",
            "toy whale", "toy bear", "toy donkey", "toy tiger", "toy hippo")  # fmt: skip
FRUIT = (entry("apple", many="apples"), entry("pear", many="pears"), entry("peach", many="peaches"), entry("plum", many="plums"),
         entry("orange", many="oranges"), entry("banana", many="bananas"), entry("mango", many="mangoes"))  # fmt: skip
BERRIES = ("strawberries", "blueberries", "raspberries", "blackberries", "cherries", "gooseberries", "currants")  # them
TREATS = ("cookies", "muffins", "cupcakes", "buns", "pancakes", "doughnuts", "waffles", "tarts", "biscuits", "brownies")  # them
CAKE = ("chocolate cake", "apple pie", "cherry pie", "carrot cake", "honey cake", "lemon cake", "banana cake", "blueberry pie", "plum cake")
DINNER = ("soup", "spaghetti", "rice and beans", "chicken", "stew", "noodles", "fish", "macaroni", "mashed potatoes")
BUG = ("ladybug", "beetle", "caterpillar", "grasshopper", "snail", "cricket", "worm", "bumblebee")
FLOWER = (entry("daisy", many="daisies"), entry("tulip", many="tulips"), entry("rose", many="roses"), entry("poppy", many="poppies"),
          entry("sunflower", many="sunflowers"), entry("violet", many="violets"), entry("buttercup", many="buttercups"))  # fmt: skip
TREE = ("oak tree", "apple tree", "pine tree", "birch tree", "maple tree", "willow tree", "chestnut tree", "cherry tree", "elm tree")
PLAYGROUND = ("park", "playground", "schoolyard", "garden")
GROUND = ("park", "meadow", "forest", "garden", "field", "woods")
