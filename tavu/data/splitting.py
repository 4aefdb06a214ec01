"""One text -> many documents, for text without `<|endoftext|>`: a list, a chat log, the chapters of a book.

Splits at newlines, at blank lines, or at the matches of a regular expression; also detects text that should probably be split.
"""

import re
import signal
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tavu.errors import TavuError

_PATTERNS = {"lines": r"\n", "blank": r"\n[ \t]*(?:\n[ \t]*)+"}
_MATCH_SECONDS = 10
"""CPU time for one piece of text of at most 16 MB: a reasonable expression takes less than one second."""
_MIN_LINES = 20
_MIN_WRAPPED = 40
"""Characters per line: programs do not wrap prose to shorter lines."""
_SHOWN_BYTES = 1 << 16
_MESSAGE = re.compile(r"\W{0,3}\d{1,4}[-./:]\d{1,2}\b|<?\w[\w .'’-]{0,30}>?:\s")
"""How a line of a chat log begins: with a date, a time or a name."""


class Splitter:
    """Divides texts and counts the matches."""

    def __init__(self, split: str) -> None:
        self._split = split
        self.num_matches = 0
        try:
            self._pattern = re.compile(_PATTERNS.get(split, split), re.MULTILINE)
        except (re.error, RecursionError, OverflowError) as fault:
            raise TavuError(f"--split {split!r} is no regular expression: {fault}. Try lines, blank, or '^---$'.") from None
        if self._pattern.search(""):
            raise TavuError(f"--split {split!r} also matches the empty string, so it would split everywhere. Try lines, blank, or '^---$'.")

    def split(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """(offset, part) of the text between the matches; invalid UTF-8 is kept unchanged."""
        decoded = text.decode(errors="surrogateescape")
        plain = decoded.replace("\r\n", "\n")
        returns = [found.start() - index for index, found in enumerate(re.finditer("\r\n", decoded))]  # where in plain each CR is missing
        with self._time_limit():
            spans = [found.span() for found in self._pattern.finditer(plain)]
        self.num_matches += len(spans)
        begin, offset = 0, 0
        for start, end in [*spans, (len(plain), len(plain))]:
            start, end = start + bisect_left(returns, start), end + bisect_left(returns, end)
            part = decoded[begin:start].encode(errors="surrogateescape")
            yield offset, part
            offset += len(part) + len(decoded[start:end].encode(errors="surrogateescape"))
            begin = end

    @contextmanager
    def _time_limit(self) -> Iterator[None]:
        """Limit the CPU time: an expression such as (a+)+$ may never finish. Python checks for signals while it matches."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            yield
            return

        def give_up(number: int, frame: FrameType | None) -> None:
            seconds = f"takes more than {_MATCH_SECONDS} seconds to search"
            raise TavuError(f"--split {self._split!r} {seconds}: it can match in very many ways. Avoid nested repeats, such as (a+)+.")

        before = signal.signal(signal.SIGVTALRM, give_up)
        signal.setitimer(signal.ITIMER_VIRTUAL, _MATCH_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


def looks_like_many(document: bytes) -> str:
    """Describe why a document seems to be many texts; "" if it seems to be one.

    >>> looks_like_many(b"\\n".join(b"12:%02d Anna: Shall we go? %d" % (n, n * n) for n in range(60)))
    'lines that begin with a time or a name, as in a chat'
    """
    lines = document[:_SHOWN_BYTES].decode(errors="replace").splitlines()
    if len(document) > _SHOWN_BYTES:
        lines = lines[:-1]  # the last line is cut off
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) < _MIN_LINES:
        return ""
    if sum(_MESSAGE.match(line) is not None for line in filled) > 0.6 * len(filled):
        return "lines that begin with a time or a name, as in a chat"
    num_blank, num_continued = len(lines) - len(filled), sum(line[0].islower() for line in filled)
    mean_length = sum(map(len, filled)) / len(filled)
    longest = max(map(len, filled))
    is_wrapped = longest >= _MIN_WRAPPED and sum(4 * len(line) > 3 * longest for line in filled) > 0.5 * len(filled)
    if num_blank < 0.02 * len(lines) and num_continued < 0.1 * len(filled) and mean_length < 120 and not is_wrapped:
        return "short lines without blank lines, as in a list"
    return ""
