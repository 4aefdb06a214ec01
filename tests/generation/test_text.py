"""The automaton equals RFC 3629, text consists of whole characters, and stop strings are found however the stream is divided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tavu.generation.text import ALLOWED, BETWEEN_CHARACTERS, NEXT_STATE, StopStrings, TextStream, state_after
from tavu.vocabulary import END, NUM_BYTES, NUM_IDS

NUM_CHARACTERS = 0x110000 - 0x800  # all but the surrogates


def test_tables_have_a_row_per_state_and_a_column_per_id():
    assert ALLOWED.shape == NEXT_STATE.shape == (8, NUM_IDS)
    assert ALLOWED.dtype == bool and NEXT_STATE.dtype == np.int64
    assert ALLOWED.any(axis=1).all()


def test_every_character_is_allowed_and_nothing_else_is():
    encoded = [chr(point).encode() for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for length in range(1, 5):
        characters = np.frombuffer(b"".join(c for c in encoded if len(c) == length), dtype=np.uint8).reshape(-1, length)
        states = np.full(len(characters), BETWEEN_CHARACTERS)
        for column in characters.T:
            assert ALLOWED[states, column].all()
            states = NEXT_STATE[states, column]
        assert (states == BETWEEN_CHARACTERS).all()

    # The number of byte strings that lead from state 0 back to it equals the number of characters, so no others do.
    steps = np.zeros((8, 8), dtype=np.int64)  # allowed bytes from state to state
    for state, byte in zip(*np.nonzero(ALLOWED[:, :NUM_BYTES]), strict=True):
        steps[state, NEXT_STATE[state, byte]] += 1
    inside, num_accepted = steps[BETWEEN_CHARACTERS].copy(), 0
    while inside.any():
        num_accepted += inside[BETWEEN_CHARACTERS]
        inside[BETWEEN_CHARACTERS] = 0
        inside = inside @ steps
    assert num_accepted == NUM_CHARACTERS


@pytest.mark.parametrize(
    "refused",
    [b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf5", b"\x80"],
    ids=["overlong 2", "overlong 2 high", "overlong 3", "overlong 4", "surrogate", "above U+10FFFF", "F5", "continuation"],
)
def test_invalid_utf8_is_not_allowed(refused):
    state, allowed = BETWEEN_CHARACTERS, []
    for byte in refused:
        allowed.append(ALLOWED[state, byte])
        state = NEXT_STATE[state, byte]
    assert not all(allowed)


def test_end_follows_whole_characters_only():
    assert ALLOWED[:, END].tolist() == [True] + [False] * 7
    assert (NEXT_STATE[:, END] == BETWEEN_CHARACTERS).all()


def begins_a_character(data: bytes) -> bool:
    """Whether some bytes after `data` make it one whole character."""
    # Uses bytes.decode: Python's incremental decoder rejects a surrogate one byte late.
    for rest in (b"\x80", b"\x80\x80", b"\xa0\x80", b"\x80\x80\x80", b"\x90\x80\x80"):
        try:
            if len((data + rest).decode()) == 1:
                return True
        except UnicodeDecodeError:
            pass
    return False


def is_character(data: bytes) -> bool:
    return len(data.decode(errors="replace")) == 1 and data.decode(errors="ignore").encode() == data


edge_bytes = st.sampled_from(list(b"a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc2\xe0\xe1\xed\xf0\xf1\xf4\xf5"))


@given(st.binary(max_size=8) | st.lists(edge_bytes, max_size=8).map(bytes))
def test_the_state_after_any_bytes_depends_on_the_last_character(data):
    pending = next((data[-length:] for length in (1, 2, 3) if data and begins_a_character(data[-length:])), b"")
    state = state_after(data)
    assert (state == BETWEEN_CHARACTERS) == (pending == b"")
    for byte in range(NUM_BYTES):
        longer = pending + bytes([byte])
        assert ALLOWED[state, byte] == (is_character(longer) or begins_a_character(longer))
    stepped = BETWEEN_CHARACTERS
    for byte in data:
        stepped = NEXT_STATE[stepped, byte]
    assert state == stepped


@given(st.binary(max_size=20) | st.text(max_size=8).map(str.encode), st.integers(1, 4))
def test_text_pieces_join_to_the_decoded_bytes(data, step):
    stream = TextStream()
    pieces = [stream.feed(data[start : start + step]) for start in range(0, len(data), step)]
    assert "".join(pieces) + stream.finish() == data.decode("utf-8", errors="replace")


def test_a_text_stream_gives_no_half_character():
    stream = TextStream()
    assert [stream.feed(bytes([byte])) for byte in "ä😀".encode()] == ["", "ä", "", "", "", "😀"]
    assert stream.feed("😀".encode()[:3]) == ""
    assert stream.finish() == "\ufffd"
    assert stream.feed(b"new") + stream.finish() == "new"


def first_stop(data: bytes, stops: list[bytes]) -> bytes | None:
    """The bytes before the stop string that ends first, by a simple search; None if there is none."""
    for end in range(len(data) + 1):
        starts = [end - len(stop) for stop in stops if data[:end].endswith(stop)]
        if starts:
            return data[: min(starts)]
    return None


@given(
    st.lists(st.text("abä", min_size=1, max_size=4), max_size=3),
    st.lists(st.text("abä", max_size=5).map(str.encode), max_size=8),
)
def test_stop_strings_do_not_depend_on_the_chunks(stop, chunks):
    stops = StopStrings(stop)
    written, stopped = b"", False
    for chunk in chunks:
        ready, now_stopped = stops.feed(chunk)
        assert not (stopped and (ready or not now_stopped))
        written, stopped = written + ready, now_stopped
    expected = first_stop(b"".join(chunks), [text.encode() for text in stop])
    assert stopped == (expected is not None)
    if stopped:
        assert written == expected and stops.flush() == b""
    else:
        assert written + stops.flush() == b"".join(chunks)


def test_stop_strings_hold_back_no_more_than_a_possible_start():
    stops = StopStrings(("THE END", "\n\n"))
    assert stops.feed(b"In THE E") == (b"In ", False)
    assert stops.feed(b"AST.\n") == (b"THE EAST.", False)
    assert stops.feed(b"x\n") == (b"\nx", False)
    assert stops.feed(b"\nmore") == (b"", True)
    assert stops.feed(b"and more") == (b"", True)


def test_a_stop_string_inside_the_prefix_of_another_is_found():
    stops = StopStrings(("abcd", "bc"))
    assert stops.feed(b"ab") == (b"", False)
    assert stops.feed(b"c") == (b"a", True)
    assert StopStrings(("abcd", "bc")).feed(b"abcd") == (b"a", True)


def test_no_stop_strings_hold_nothing():
    stops = StopStrings(())
    assert stops.feed(b"abc") == (b"abc", False) and stops.flush() == b""
