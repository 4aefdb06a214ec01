"""The page of an explanation: a text colored by how much each letter surprised the model, and for each patch what the model looked back at."""

from pathlib import Path

from tavu.evaluation.explain import ByteExplained, Explanation, PatchExplained
from tavu.files import replace_file
from tavu.reports.page import render
from tavu.vocabulary import END

BRIGHTEST_BITS = 8.0


def write_explain_page(explanation: Explanation, model: str, path: Path) -> None:
    """Write the page, whole or not at all. Raises TavuError when it cannot be written."""
    replace_file(path, explain_page(explanation, model).encode())


def explain_page(explanation: Explanation, model: str) -> str:
    """The whole page as HTML."""
    rows = (_row(explanation, number, patch) for number, patch in enumerate(explanation.patches))
    return render(
        "explain.html",
        {
            "model": model,
            "bits_per_byte": sum(byte.bits for byte in explanation.bytes) / len(explanation.text),
            "letters": _letters(explanation),
            "nearest": explanation.nearest,
            "rows": [row for row in rows if row],
        },
    )


def _letters(explanation: Explanation) -> list[dict[str, str | float]]:
    """Each character with the bits of all its bytes; the end of the text as a sign of its own."""
    letters, at = [], 0
    for character in explanation.text.decode(errors="surrogateescape"):
        size = len(character.encode(errors="surrogateescape"))
        shown = character.encode(errors="replace").decode()
        letters.append(_letter(shown, explanation.bytes[at : at + size], is_given=at < explanation.num_given))
        at += size
    return [*letters, _letter("▪", explanation.bytes[-1:], is_given=False)]


def _letter(shown: str, own: tuple[ByteExplained, ...], *, is_given: bool) -> dict[str, str | float]:
    bits = sum(byte.bits for byte in own)
    return {
        "shown": shown,
        "classes": " ".join(name for name, yes in (("given", is_given), ("begins", own[0].begins_patch)) if yes),
        "brightness": min(1.0, bits / BRIGHTEST_BITS),
        "tooltip": f"{bits:.1f} bits; expected {_expected(own[0])}",
    }


def _row(explanation: Explanation, number: int, patch: PatchExplained) -> tuple[str, ...]:
    """The cells of a patch; none for one without bytes."""
    own = explanation.bytes[patch.start : patch.stop]
    if not own:
        return ()
    looked = ", ".join(f"{_patch_text(explanation, other)} {share:.0%}" for other, share in patch.attended)
    return (_patch_text(explanation, number), f"{sum(byte.bits for byte in own):.1f}", _expected(own[0], 3), looked)


def _patch_text(explanation: Explanation, number: int) -> str:
    patch = explanation.patches[max(0, number)]
    own = explanation.text[patch.start : patch.stop]
    if own and number >= 0:
        return f"“{own.decode(errors='replace')}”"
    return "nothing" if number < 0 else "END"


def _expected(byte: ByteExplained, num: int | None = None) -> str:
    """The likeliest bytes as people read them."""
    return ", ".join(f"{_name(id)} {p:.0%}" for id, p in byte.candidates[:num])


def _name(id: int) -> str:
    if id == END:
        return "END"
    return {10: "newline", 32: "space"}.get(id) or (chr(id) if 32 < id < 127 else f"byte {id:02x}")
