"""The built-in corpus: an endless sequence of short children's stories, generated from a seed.

It needs no download, for tests and for the first command of the README. No quality claim is based on it. All of its text was written for this
project. `tell(seed, index)` is random access and gives the same tale on every machine.

A tale is a plot (plots_*.py), with a cast drawn from the lexicon and random alternatives of the plot's template.

A model that trains for minutes cannot learn all plots: `first_plots` selects fewer, with fewer names.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from itertools import count as count_from

from tavu.data.tales.grammar import with_articles, with_single_spaces
from tavu.data.tales.plot import FEATURES, Plot, draw_cast, with_few_names
from tavu.data.tales.plots_animals import ANIMALS
from tavu.data.tales.plots_courage import COURAGE
from tavu.data.tales.plots_everyday import EVERYDAY
from tavu.data.tales.plots_fables import FABLES
from tavu.data.tales.plots_friends import FRIENDS
from tavu.data.tales.plots_home import HOME
from tavu.data.tales.plots_lost import LOST
from tavu.data.tales.plots_making import MAKING
from tavu.data.tales.plots_mistakes import MISTAKES
from tavu.data.tales.plots_moments import MOMENTS
from tavu.data.tales.plots_surprises import SURPRISES
from tavu.data.tales.plots_weather import WEATHER
from tavu.data.tales.template import render
from tavu.data.tales.words import three_words

THEMES = (LOST, FRIENDS, COURAGE, MAKING, FABLES, ANIMALS, WEATHER, MISTAKES, SURPRISES, HOME, EVERYDAY, MOMENTS)
PLOTS: tuple[Plot, ...] = tuple(chain(*THEMES))


@dataclass(frozen=True)
class Tale:
    text: str  # the story, no newline at its end
    words: tuple[str, ...]  # a verb, a noun and an adjective, as they occur in the text
    features: tuple[str, ...]  # the FEATURES that are true of the text, in that order
    summary: str  # one sentence


def first_plots(count: int) -> tuple[Plot, ...]:
    """The first `count` plots, one of each theme in turn, with `count` girls' names and `count` boys' names (at least 4); or all PLOTS unchanged.

    The plots and names of a smaller count are a subset of those of a larger one.
    """
    if count >= len(PLOTS):
        return PLOTS
    in_turn = [plot for of_each_theme in zip_longest(*THEMES) for plot in of_each_theme if plot]
    return tuple(with_few_names(plot, max(4, count)) for plot in in_turn[:count])


def tell(seed: int, index: int, plots: Sequence[Plot] = PLOTS) -> Tale:
    """Tale number `index` of this seed, from one of these plots.

    >>> tell(0, 7) == tell(0, 7), tell(0, 7) == tell(0, 8)
    (True, False)
    """
    # Only random() with a string seed: Python guarantees that its sequence never changes.
    uniform = random.Random(f"{seed}:{index}").random

    def pick(n: int) -> int:
        return int(uniform() * n)

    plot = plots[pick(len(plots))]
    cast = draw_cast(plot, pick)
    pieces: list[str] = []
    marked: list[str] = []
    render(plot.story, cast, pick, pieces, marked)
    # One tale in three is a single paragraph.
    text = with_articles(with_single_spaces("".join(pieces), between_paragraphs=" " if pick(3) == 0 else "\n\n"))
    text = text.replace('" "', '"\n\n"')  # a new speaker always starts a paragraph
    summary_pieces: list[str] = []
    render(plot.summary, cast, pick, summary_pieces, [])
    if '"' in text:
        marked.append("Dialogue")
    return Tale(
        text=text,
        words=three_words(text, pick),
        features=tuple(feature for feature in FEATURES if feature in marked),
        summary=with_articles(with_single_spaces("".join(summary_pieces))),
    )


def tell_many(seed: int, count: int | None = None, plots: Sequence[Plot] = PLOTS) -> Iterator[Tale]:
    """The first `count` tales of this seed; endless without a count.

    >>> [tale == tell(3, i) for i, tale in enumerate(tell_many(3, 2))]
    [True, True]
    """
    return (tell(seed, index, plots) for index in islice(count_from(), count))
