"""Batches: every row start once per epoch, a pure function of seed and step, and fast."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tavu.data.batches import Batches, shuffled
from tavu.data.documents import DocumentFile, write_documents
from tavu.errors import TavuError
from tavu.vocabulary import END


def store(folder: Path, documents: list[bytes]) -> DocumentFile:
    flat = folder / "flat"
    flat.write_bytes(b"".join(documents))
    lengths = np.array([len(document) for document in documents])
    with flat.open("rb") as source:
        write_documents(folder / "documents", source, np.cumsum(lengths) - lengths, lengths)
    return DocumentFile(folder / "documents")


def ring_of(documents: list[bytes]) -> list[int]:
    return [an_id for document in documents for an_id in (END, *document)]


def expected_starts(documents: list[bytes], seq_len: int) -> list[int]:
    starts, at = [], 0
    for document in documents:
        starts += range(at, at + 1 + len(document), seq_len)
        at += 1 + len(document)
    return starts


def test_a_row_starts_with_a_document_and_wraps_around_at_the_end(tmp_path: Path) -> None:
    batches = Batches(store(tmp_path, [b"ab", b"cd\0", b"e"]), seq_len=6, rows=3, seed=0)
    rows = {bytes(row.clip(0, 255).astype(np.uint8)): row.tolist() for row in batches.batch(0)}
    assert sorted(rows.values()) == sorted(
        [
            [END, *b"ab", END, *b"cd"],
            [END, *b"cd\0", END, *b"e"],
            [END, *b"e", END, *b"ab", END],
        ]
    )
    assert batches.batch(0).dtype == np.int64


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8),
    st.integers(2, 12),
    st.integers(1, 5),
    st.integers(0, 3),
)
def test_every_row_start_is_visited_once_per_epoch(tmp_path_factory, documents: list[bytes], seq_len: int, rows: int, seed: int) -> None:
    ring = ring_of(documents)
    if len(ring) < seq_len:
        return
    batches = Batches(store(tmp_path_factory.mktemp("rows"), documents), seq_len=seq_len, rows=rows, seed=seed)
    starts = expected_starts(documents, seq_len)
    expected = sorted([ring[(start + at) % len(ring)] for at in range(seq_len)] for start in starts)
    assert batches.num_starts == len(starts)
    num_steps = -(-2 * len(starts) // rows)
    seen = np.concatenate([batches.batch(step) for step in range(num_steps)]).tolist()
    assert sorted(seen[: len(starts)]) == expected
    assert sorted(seen[len(starts) : 2 * len(starts)]) == expected


def test_a_batch_depends_only_on_seed_and_step(tmp_path: Path) -> None:
    documents = store(tmp_path, [f"story number {number}".encode() for number in range(500)])
    first = Batches(documents, seq_len=32, rows=4, seed=7)
    forward = [first.batch(step) for step in range(300)]
    second = Batches(documents, seq_len=32, rows=4, seed=7)
    for step in reversed(range(300)):
        assert np.array_equal(second.batch(step), forward[step])
    assert not np.array_equal(Batches(documents, seq_len=32, rows=4, seed=8).batch(0), forward[0])
    # An epoch has 125 steps; the next epoch has the same rows in another order.
    assert not np.array_equal(forward[0], forward[125])


@pytest.mark.parametrize("num", [1, 2, 3, 5, 64, 65, 1000, 4097])
def test_shuffled_is_a_permutation(num: int) -> None:
    places = np.arange(num, dtype=np.uint64)
    for epoch in range(3):
        assert np.array_equal(np.sort(shuffled(places, num, (0, epoch))), places)


def test_shuffled_looks_random() -> None:
    num = 20_000
    places = np.arange(num, dtype=np.uint64)
    orders = np.array([shuffled(places, num, (0, epoch)) for epoch in range(4)]).astype(np.float64)
    spread = 5 / num**0.5  # of a correlation of independent values: five standard deviations
    assert np.abs(np.corrcoef(np.vstack([places, orders])) - np.eye(5)).max() < spread
    for order in orders:
        assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < spread
        steps, counts = np.unique(np.diff(order), return_counts=True)
        assert len(steps) > num / 3 and counts.max() < 12  # no stride: each difference is rare
        # Batches of 16 cover the corpus like random ones: compare the variance of the mean.
        means = order[: num // 16 * 16].reshape(-1, 16).mean(1)
        assert 0.85 < means.std() / (num / 12**0.5 / 4) < 1.15


def test_a_corpus_shorter_than_a_row(tmp_path: Path) -> None:
    documents = store(tmp_path, [b"a" * 200, b"b" * 98])
    with pytest.raises(TavuError) as raised:
        Batches(documents, seq_len=1024, rows=1, seed=0)
    assert str(raised.value) == (
        "The corpus holds 298 bytes to train on, expected at least one row of 1,024. "
        "Give more text, or a shorter context: --set model.max_seq_len=256"
    )
    assert Batches(documents, seq_len=300, rows=1, seed=0).batch(0).shape == (1, 300)


def test_ten_million_starts_within_100_mb_and_two_milliseconds(tmp_path: Path) -> None:
    num, length = 10_000_000, 9
    np.save(tmp_path / "big.npy", np.arange(num + 1, dtype=np.uint64) * np.uint64(length + 1))
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(num * (length + 1) + 1)
    documents = DocumentFile(tmp_path / "big")
    tracemalloc.start()
    batches = Batches(documents, seq_len=1024, rows=16, seed=0)
    batches.batch(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batches.num_starts == num
    assert peak < 100e6
    seconds = []
    for step in range(1, 41):
        began = time.perf_counter()
        assert batches.batch(step).shape == (16, 1024)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 2e-3  # the machine may be busy with something else at times
