"""The numbers of a run in words, the same on the page and in the picture."""

import math
import re

from tavu.reports.run_folder import RunRecord

UNIFORM_BPB = 8.0
WAITING = "The first text appears with the first milestone."


def duration(seconds: float) -> str:
    """A length of time, as precise as a reader needs.

    >>> duration(8.44), duration(59.7), duration(754), duration(7500)
    ('8.4 s', '1 min', '12 min 34 s', '2 h 5 min')
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _pair(whole, 60, "min", 1, "s")
    if whole < 2 * 86400:
        return _pair(round(whole / 60), 60, "h", 1, "min")
    return _pair(round(whole / 3600), 24, "days", 1, "h")


def _pair(count: int, per_large: int, large: str, per_small: int, small: str) -> str:
    rest = count % per_large // per_small
    return f"{count // per_large} {large}" + (f" {rest} {small}" if rest else "")


def counted(number: float, thing: str) -> str:
    """A number of things.

    >>> counted(1, "document"), counted(0, "document"), counted(2300, "document")
    ('1 document', '0 documents', '2,300 documents')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def scaled(value: float, unit: str = "") -> str:
    """A quantity in three figures and a decimal prefix.

    >>> scaled(1_234_567, "B"), scaled(999, "B"), scaled(999_600, "B/s"), scaled(42e9)
    ('1.23 MB', '999 B', '1 MB/s', '42 G')
    """
    if not math.isfinite(value):
        return "?"
    for prefix, size in (("", 1), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)):
        if float(f"{value / size:.3g}") < 1000 or prefix == "T":
            break
    return f"{value / size:.3g} {prefix}{unit}".strip()


def bpb(value: float, standard_error: float = math.nan) -> str:
    """Bits per byte, with the digits that tell runs apart.

    >>> bpb(1.0321, 0.0042), bpb(1.0321), bpb(math.nan)
    ('1.032 ± 0.004', '1.032', 'not a number')
    """
    if not math.isfinite(value):
        return "not a number"
    has_error = math.isfinite(standard_error) and standard_error > 0
    return f"{value:.3f} ± {standard_error:.3f}" if has_error else f"{value:.3f}"


def meaning(record: RunRecord) -> str:
    """The result in one or two sentences, for someone who has never heard of bits per byte."""
    points, last = record.curve, record.result
    if last and not math.isfinite(last.val_bpb):
        return "The model's error is no longer a number: the training diverged. A lower learning rate usually helps."
    if not points or not last:
        return "The first measurement on text that the model does not train on is still to come."
    scale = f"Lower is better; guessing every byte blindly costs {UNIFORM_BPB:.1f}."
    if len(points) == 1:
        return (
            f"After {duration(last.seconds)} of training the model needs {last.val_bpb:.2f} bits "
            f"to tell each byte of text that it has not seen. {scale}"
        )
    first = points[0]
    return (
        f"From {first.val_bpb:.2f} bits after {duration(first.seconds)} to {last.val_bpb:.2f} "
        f"after {duration(record.latest.seconds)}: for each byte of text that it has not seen, "
        f"{_change(max(first.val_bpb, 1e-6) / max(last.val_bpb, 1e-6))}. {scale}"
    )


def _change(ratio: float) -> str:
    if ratio >= 1.15:
        return f"the model now needs {ratio:.1f} times fewer bits than at first"
    if ratio >= 1.005:
        return f"the model now needs {1 - 1 / ratio:.1%} fewer bits than at first"
    if ratio > 0.995:
        return "the model needs as many bits as at first"
    return f"the model now needs {1 / ratio - 1:.1%} more bits than at first"


def ending(stopped: str) -> str:
    words = {
        "budget": "Finished: it used its whole budget.",
        "early": "Finished early: validation had stopped improving.",
        "interrupted": "Interrupted: the model so far is saved, and the training can be resumed.",
    }
    return words.get(stopped, f"Finished: {stopped}.")


_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def showable(text: str) -> str:
    """The text with each control character replaced by its picture, so that it can be seen and does no harm to a terminal or a page.

    >>> showable("a\\x00b\\x1b[31m\\n")
    'a␀b␛[31m\\n'
    """
    return _UNSHOWABLE.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
