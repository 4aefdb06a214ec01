"""The page of an explanation: a text whose surprises glow, and for each word what the model looked back at."""

import html
from pathlib import Path

from tavu.evaluation.explain import ByteExplained, Explanation, PatchExplained
from tavu.files import replace_file
from tavu.reports.page import page
from tavu.reports.wording import showable
from tavu.vocabulary import END

BRIGHTEST_BITS = 8.0
MEANING = (
    "The brighter a letter, the more it surprised the model: bits are how many yes-or-no questions it would have taken to tell. A line stands "
    "where a patch begins; what was given is underlined. Rest on a letter to see what was expected there."
)


def write_explain_page(explanation: Explanation, model: str, path: Path) -> None:
    """Write the page, whole or not at all. Raises TavuError when it cannot be written."""
    replace_file(path, explain_page(explanation, model).encode())


def explain_page(explanation: Explanation, model: str) -> str:
    """The whole page as HTML."""
    bits = sum(byte.bits for byte in explanation.bytes) / len(explanation.text)
    header = (
        f'<p class="kind">tavu explain</p><h1>{html.escape(showable(model))}</h1><div class="result"><p class="score">{bits:.3f} '
        f'<small>bits per byte of this text</small></p><p class="meaning">{MEANING}</p></div>'
    )
    main = (
        f'<section id="text"><h2>The text</h2><p class="text glow">{_text(explanation)}</p></section>{_nearest(explanation)}'
        '<section id="patches"><h2>Patch by patch</h2><p class="lead">What the global model looked back at when it foretold each patch: the mean of '
        "all layers and heads, the largest shares.</p>"
        '<table class="measures"><thead><tr><th>patch</th><th>bits</th><th>expected to begin with</th><th>looked at</th></tr></thead>'
        f"{''.join(_row(explanation, number, patch) for number, patch in enumerate(explanation.patches))}</table></section>"
    )
    return page(f"{showable(model)}: explained", header, main)


def _nearest(explanation: Explanation) -> str:
    nearest = explanation.nearest
    if nearest is None:
        return ""
    return (
        '<section id="nearest"><h2>The nearest story that it was trained on</h2>'
        f'<p class="lead">It has {nearest.share:.0%} of the runs of three words of this text.</p>'
        f'<p class="text">{html.escape(showable(nearest.text))}</p></section>'
    )


def _text(explanation: Explanation) -> str:
    """Each character with the bits of all its bytes; the end of the text as a sign of its own."""
    pieces, at = [], 0
    for character in explanation.text.decode(errors="surrogateescape"):
        size = len(character.encode(errors="surrogateescape"))
        shown = showable(character.encode(errors="replace").decode())
        pieces.append(_glowing(shown, explanation.bytes[at : at + size], is_given=at < explanation.num_given))
        at += size
    return "".join(pieces) + _glowing("▪", explanation.bytes[-1:], is_given=False)


def _glowing(shown: str, own: tuple[ByteExplained, ...], *, is_given: bool) -> str:
    bits = sum(byte.bits for byte in own)
    kinds = " ".join(name for name, yes in (("given", is_given), ("begins", own[0].begins_patch)) if yes)
    style = f"background:rgb(224 96 32 / {min(1.0, bits / BRIGHTEST_BITS):.2f})"
    told = html.escape(f"{bits:.1f} bits; expected {_expected(own[0])}", quote=True)
    return f'<span class="{kinds}" style="{style}" title="{told}">{html.escape(shown)}</span>'


def _row(explanation: Explanation, number: int, patch: PatchExplained) -> str:
    own = explanation.bytes[patch.start : patch.stop]
    if not own:
        return ""
    looked = ", ".join(f"{_patch_text(explanation, other)} {share:.0%}" for other, share in patch.looked_at)
    cells = (_patch_text(explanation, number), f"{sum(byte.bits for byte in own):.1f}", _expected(own[0], 3), looked)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _patch_text(explanation: Explanation, number: int) -> str:
    patch = explanation.patches[max(0, number)]
    own = explanation.text[patch.start : patch.stop]
    if own and number >= 0:
        return f"“{showable(own.decode(errors='replace'))}”"
    return "nothing" if number < 0 else "END"


def _expected(byte: ByteExplained, num: int | None = None) -> str:
    """The likeliest bytes as people read them."""
    return ", ".join(f"{_name(id)} {p:.0%}" for id, p in byte.candidates[:num])


def _name(id: int) -> str:
    if id == END:
        return "END"
    return {10: "newline", 32: "space"}.get(id) or (chr(id) if 32 < id < 127 else f"byte {id:02x}")
