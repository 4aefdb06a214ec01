"""Pieces of Markdown that the pages of the reference are made of."""

import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells; what is in one may be any text.

    >>> print(table(["a", "b"], [["1", "x | y"]]))
    | a | b |
    | --- | --- |
    | 1 | x &#124; y |
    >>> print(table(["a"], [["`x | y`"]]).splitlines()[-1])
    | `x | y` |
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def escaped(text: str) -> str:
    """Plain text, in which nothing is Markdown or HTML.

    >>> escaped("a <b> and x*y*z")
    'a &lt;b&gt; and x\\\\*y\\\\*z'
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "*_[]" else c for c in text)


def prose(text: str) -> str:
    """Plain text with code in backticks, as docstrings are."""
    return re.sub(r"(`[^`]*`)|([^`]+)", lambda found: found[1] or escaped(found[2]), text)


def _cell(text: str) -> str:
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or "&#124;", " ".join(text.split()))
