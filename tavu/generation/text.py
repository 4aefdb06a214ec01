"""From bytes to text, byte by byte: an automaton for valid UTF-8, text streams and stop strings.

Shapes: S states of the UTF-8 automaton, V ids, N rows of a batch.
"""

import codecs
from collections.abc import Sequence
from functools import cache

import numpy as np

from tavu.vocabulary import END, NUM_IDS

BETWEEN_CHARACTERS = 0
"""The state between characters."""

# RFC 3629, section 4, the grammar UTF8-octets. For each state: the ranges of bytes that may follow, and the next state.
# The range of the second byte is narrower after four lead bytes: E0 and F0 (else overlong), ED (else a surrogate), F4 (else above U+10FFFF).
_ONE_LEFT, _TWO_LEFT, _THREE_LEFT, _AFTER_E0, _AFTER_ED, _AFTER_F0, _AFTER_F4 = range(1, 8)
_RULES: dict[int, tuple[tuple[int, int, int], ...]] = {  # state: (first byte, last byte, next state), ...
    BETWEEN_CHARACTERS: (
        (0x00, 0x7F, BETWEEN_CHARACTERS),
        (0xC2, 0xDF, _ONE_LEFT),
        (0xE0, 0xE0, _AFTER_E0),
        (0xE1, 0xEC, _TWO_LEFT),
        (0xED, 0xED, _AFTER_ED),
        (0xEE, 0xEF, _TWO_LEFT),
        (0xF0, 0xF0, _AFTER_F0),
        (0xF1, 0xF3, _THREE_LEFT),
        (0xF4, 0xF4, _AFTER_F4),
    ),
    _ONE_LEFT: ((0x80, 0xBF, BETWEEN_CHARACTERS),),
    _TWO_LEFT: ((0x80, 0xBF, _ONE_LEFT),),
    _THREE_LEFT: ((0x80, 0xBF, _TWO_LEFT),),
    _AFTER_E0: ((0xA0, 0xBF, _ONE_LEFT),),
    _AFTER_ED: ((0x80, 0x9F, _ONE_LEFT),),
    _AFTER_F0: ((0x90, 0xBF, _TWO_LEFT),),
    _AFTER_F4: ((0x80, 0x8F, _TWO_LEFT),),
}
_LONGEST_PART = 3  # the most bytes of an incomplete character


def _tables() -> tuple[np.ndarray, np.ndarray]:
    allowed = np.zeros((len(_RULES), NUM_IDS), dtype=bool)
    next_state = np.full((len(_RULES), NUM_IDS), -1, dtype=np.int64)
    for state, rules in _RULES.items():
        for first, last, following in rules:
            allowed[state, first : last + 1] = True
            next_state[state, first : last + 1] = following
    allowed[BETWEEN_CHARACTERS, END] = True
    next_state[:, END] = BETWEEN_CHARACTERS
    # A byte that is not allowed ends the broken character and is read again as a first byte, as in Python's decoder.
    start = next_state[BETWEEN_CHARACTERS]
    start[start < 0] = BETWEEN_CHARACTERS
    next_state = np.where(next_state < 0, start, next_state)
    allowed.flags.writeable = next_state.flags.writeable = False
    return allowed, next_state


# ALLOWED (S, V) bool: the ids that may follow in a state, END only between characters. `ALLOWED[states]` is (N, V).
# NEXT_STATE (S, V) int64: the state after an id, `NEXT_STATE[states, ids]` is (N,). It is also defined for ids
# that are not allowed: the broken character is dropped, and a byte that can start a character starts one.
ALLOWED, NEXT_STATE = _tables()


@cache
def allowed_ids(used_bytes: frozenset[int] | None) -> np.ndarray:
    """ALLOWED (S, V), restricted to these bytes. States in which none of them is allowed are not restricted."""
    if used_bytes is None:
        return ALLOWED
    allowed = ALLOWED & np.isin(np.arange(NUM_IDS), [*used_bytes, END])
    allowed[~allowed.any(axis=1)] = ALLOWED[~allowed.any(axis=1)]
    return allowed


def state_after(data: bytes) -> int:
    """The state after `data`, 0..7. The ids that may follow are `ALLOWED[state_after(data)]`.

    Invalid bytes are skipped. The state depends only on the character that `data` ends in, if it is incomplete.

    >>> state_after("ä".encode()), state_after("ä".encode()[:1]), state_after(b"\\xff")
    (0, 1, 0)
    """
    state = BETWEEN_CHARACTERS
    for byte in data[-_LONGEST_PART:]:  # a character that starts earlier is complete or broken
        state = int(NEXT_STATE[state, byte])
    return state


class TextStream:
    """Decodes a byte stream in pieces that never contain half a character. Invalid UTF-8 becomes U+FFFD.

    The joined pieces equal `data.decode("utf-8", errors="replace")`.

    >>> stream = TextStream()
    >>> [stream.feed(bytes([byte])) for byte in "yö".encode()]
    ['y', '', 'ö']
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> str:
        """The characters that `data` completes."""
        return self._decoder.decode(data)

    def finish(self) -> str:
        """U+FFFD if the stream ended inside a character, else nothing. Resets the stream."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text


class StopStrings:
    """Cuts a byte stream at the first stop string that is complete; of two that end together, at the longer.

    The result does not depend on how the stream is divided into chunks. Bytes that may be the start of a stop string are
    held back.

    >>> stops = StopStrings(("THE END",))
    >>> stops.feed(b"And so. THE"), stops.feed(b" ENDING")
    ((b'And so. ', False), (b'', True))
    """

    def __init__(self, stop: Sequence[str]) -> None:
        assert not isinstance(stop, str) and all(stop), "stop strings are checked by SamplingConfig"
        self._stops = [text.encode() for text in stop]
        self._prefixes = {encoded[:length] for encoded in self._stops for length in range(1, len(encoded))}
        self._longest_prefix = max(map(len, self._prefixes), default=0)
        self._held = b""
        self._stopped = False

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """The bytes that are now safe to output, and whether a stop string was found. After that it returns no more bytes."""
        if self._stopped or not self._stops:
            return (b"" if self._stopped else data), self._stopped
        pending = self._held + data
        found = [(start + len(stop), start) for stop in self._stops if (start := pending.find(stop)) >= 0]
        if found:
            self._stopped, self._held = True, b""
            return pending[: min(found)[1]], True
        num_held = self._num_held(pending)
        self._held = pending[len(pending) - num_held :]
        return pending[: len(pending) - num_held], False

    def flush(self) -> bytes:
        """The bytes held back, for a stream that ends without a stop string."""
        held, self._held = self._held, b""
        return held

    def _num_held(self, pending: bytes) -> int:
        for length in range(min(self._longest_prefix, len(pending)), 0, -1):
            if pending[-length:] in self._prefixes:
                return length
        return 0
