"""A plot: the pools of its roles, and the compiled and checked templates of its story and summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tavu.data.tales.lexicon import People
from tavu.data.tales.phrases import PHRASES
from tavu.data.tales.template import Forms, Pick, Template, compile_template

FEATURES = ("Dialogue", "Twist", "MoralValue", "Conflict", "BadEnding", "Foreshadowing")
"""The story features of TinyStories-Instruct (Eldan & Li 2023, arXiv 2305.07759, section 4)."""

Pool = People | Sequence[str | Forms]


@dataclass(frozen=True)
class Plot:
    name: str
    cast: tuple[tuple[str, People | tuple[Forms, ...]], ...]
    summary: Template
    story: Template


def plot(name: str, *, cast: Mapping[str, Pool], summary: str, story: str) -> Plot:
    """Compile a plot. A form of a word ("" or "sound") may itself be a template that refers to other roles."""
    pools = {
        role: pool if isinstance(pool, People) else tuple({"": word} if isinstance(word, str) else word for word in pool)
        for role, pool in cast.items()
    }
    forms_of = {role: _shared_forms(pool.she + pool.he if isinstance(pool, People) else pool) for role, pool in pools.items()}

    def compile_words(pool: People | tuple[Forms, ...]) -> People | tuple[Forms, ...]:
        if isinstance(pool, People):
            return pool
        return tuple({form: _plain_or_template(text, forms_of) for form, text in word.items()} for word in pool)

    return Plot(
        name=name,
        cast=tuple((role, compile_words(pool)) for role, pool in pools.items()),
        summary=compile_template(summary, forms_of, PHRASES),
        story=compile_template(story, forms_of, PHRASES),
    )


def draw_cast(plot: Plot, pick: Pick) -> dict[str, Forms]:
    """A random word for each role: no word or name twice, and the second character has the other gender than the first."""
    chosen: dict[str, Forms] = {}
    drawn: list[str | Template] = []
    gender, num_people = pick(2), 0
    for role, pool in plot.cast:
        if isinstance(pool, People):
            num_people += 1
            gender = 1 - gender if num_people <= 2 else pick(2)
            words = pool.he if gender else pool.she
        else:
            words = pool
        word = words[pick(len(words))]
        while word[""] in drawn:
            word = words[pick(len(words))]
        chosen[role] = word
        drawn.append(word[""])
    return chosen


def with_few_names(plot: Plot, count: int) -> Plot:
    """The plot with only `count` names of each gender for each role."""
    return replace(plot, cast=tuple((role, pool.first(count) if isinstance(pool, People) else pool) for role, pool in plot.cast))


def _shared_forms(pool: Sequence[Forms]) -> tuple[str, ...]:
    return tuple(form for form in pool[0] if all(form in word for word in pool))


def _plain_or_template(text: str | Template, forms_of: Mapping[str, Sequence[str]]) -> str | Template:
    if isinstance(text, str) and any(mark in text for mark in "{[<"):
        return compile_template(text, forms_of, PHRASES)
    return text
