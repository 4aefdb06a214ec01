"""The template language of plots.

    {toy}  {friend.his}  {He}    the word chosen for a role, one of its forms, the same capitalized
    {he} {him} {his} {himself}   short for {hero.he} and so on
    [red|blue|]                  one of these, which may be empty; alternatives nest
    <once>                       a phrase that many plots share (phrases.py)
    {+Twist}                     writes nothing: marks that a tale with this alternative has this feature

A template is compiled once, against its cast: a slot that some word of a role cannot fill fails at import.
The words are in lexicon.py, the phrases in phrases.py, the stories in plots_*.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Union

Pick = Callable[[int], int]  # n -> a number in 0..n-1
Template = tuple[Union[str, "Slot", "Choice", "Mark"], ...]
Forms = Mapping[str, str | Template]  # "" is the word itself, the other keys are its forms, such as "his"

_TOKEN = re.compile(r"(\{[^{}]*\}|<\w+>|[\[\]|])")
_LINE_FOLD = re.compile(r"\s*\n\s*(?=[|\]])")  # a line may break before a | or a ] without leaving a space there
_HERO_FORMS = ("he", "him", "his", "himself")


class Slot(NamedTuple):
    role: str
    form: str
    capital: bool


class Choice(NamedTuple):
    options: tuple[Template, ...]


class Mark(NamedTuple):
    feature: str


def compile_template(source: str, forms_of: Mapping[str, Sequence[str]], phrases: Mapping[str, str]) -> Template:
    """Parse a template. `forms_of` has, for each role, the forms that all words of its pool have."""
    tokens = iter(_TOKEN.split(_LINE_FOLD.sub("", source.strip())))
    options, closed = _read_options(tokens, forms_of, phrases)
    assert not closed and len(options) == 1, f"unbalanced brackets in: {source[:80]}"
    return options[0]


def _read_options(tokens: Iterator[str], forms_of: Mapping[str, Sequence[str]], phrases: Mapping[str, str]) -> tuple[tuple[Template, ...], bool]:
    """The alternatives up to the closing bracket or the end, and whether a bracket closed them."""
    options: list[list] = [[]]
    for token in tokens:
        if token == "[":
            inner, closed = _read_options(tokens, forms_of, phrases)
            assert closed, "a bracket is never closed"
            options[-1].append(Choice(inner))
        elif token == "]":
            return tuple(map(tuple, options)), True
        elif token == "|":
            options.append([])
        elif token.startswith("{"):
            options[-1].append(_read_slot(token[1:-1], forms_of))
        elif token.startswith("<"):
            options[-1].extend(compile_template(phrases[token[1:-1]], forms_of, phrases))
        elif token:
            options[-1].append(token)
    return tuple(map(tuple, options)), False


def _read_slot(name: str, forms_of: Mapping[str, Sequence[str]]) -> Slot | Mark:
    if name.startswith("+"):
        return Mark(name[1:])
    capital = name != name.lower()
    role, _, form = name.lower().partition(".")
    if role in _HERO_FORMS:
        role, form = "hero", role
    assert form in forms_of[role], f"{{{name}}}: not every word for {role} has this form"
    return Slot(role, form, capital)


def render(template: Template, cast: Mapping[str, Forms], pick: Pick, pieces: list[str], features: list[str]) -> None:
    """Append one random rendering of the template to `pieces`, and the features it marks to `features`."""
    for part in template:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Choice):
            render(part.options[pick(len(part.options))], cast, pick, pieces, features)
        elif isinstance(part, Mark):
            features.append(part.feature)
        else:
            form = cast[part.role][part.form]
            if not isinstance(form, str):
                inner: list[str] = []
                render(form, cast, pick, inner, features)
                form = "".join(inner)
            pieces.append(form[0].upper() + form[1:] if part.capital else form)
