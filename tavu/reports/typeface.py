"""The font of the picture: DejaVu, which comes with matplotlib, and how wide a text is in it.

A letter that DejaVu lacks (Chinese, most emoji) is replaced by an empty box; matplotlib would warn of each.
"""

from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, get_font

DPI = 100
"""Dots per inch of the picture: a length in points times DPI / 72 is one in pixels."""
MISSING = "\u25af"


def font(points: float, *, is_bold: bool = False, is_serif: bool = False) -> FontProperties:
    return FontProperties(fname=_file(is_bold, is_serif), size=points)


def drawable(text: str, *, is_bold: bool = False, is_serif: bool = False) -> str:
    """The text with an empty box for each letter that the font lacks."""
    has = _letters(_file(is_bold, is_serif))
    return "".join(letter if ord(letter) in has else MISSING for letter in text)


def length(text: str, points: float, *, is_bold: bool = False, is_serif: bool = False) -> float:
    """How wide the text is, in pixels, before kerning."""
    file = _file(is_bold, is_serif)
    return sum(_advance(file, letter) for letter in drawable(text, is_bold=is_bold, is_serif=is_serif)) * points * DPI / 72


@cache
def _file(is_bold: bool, is_serif: bool) -> str:
    name = "DejaVuSerif" if is_serif else "DejaVuSans"
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}{'-Bold' if is_bold else ''}.ttf"))


@cache
def _letters(file: str) -> frozenset[int]:
    return frozenset(get_font(file).get_charmap())


@cache
def _advance(file: str, letter: str) -> float:
    """The width of one letter, in units of the font size."""
    face = get_font(file)
    face.set_size(72, 72)
    return face.load_char(ord(letter)).linearHoriAdvance / 65536 / 72
