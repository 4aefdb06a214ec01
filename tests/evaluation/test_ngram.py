"""The n-gram floors are proper distributions, equal a naive implementation, and improve with the order on text."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tavu.errors import TavuError
from tavu.evaluation import ngram
from tavu.evaluation.ngram import MAX_ORDER, ngram_floors, pack, train_ngram
from tavu.vocabulary import END, NUM_IDS

documents_of_few_letters = st.lists(st.text("abcd", max_size=12).map(str.encode), min_size=1, max_size=5)


def naive_probability(documents: list[bytes], context: list[int], id: int) -> float:
    """p(id | context) by dictionaries and recursion: Witten-Bell over Kneser-Ney counts."""
    order = len(context) + 1
    counts = Counter()
    for document in documents:
        ids = [END] * (order - 1) + list(document) + [END]
        counts.update(tuple(ids[at : at + order]) for at in range(len(ids) - order + 1))
    levels = [counts]
    while len(next(iter(levels[-1]))) > 1:
        levels.append(Counter(sequence[1:] for sequence in set(levels[-1])))

    def probability(level: int, context: tuple[int, ...]) -> float:
        if level == len(levels):
            return 1 / NUM_IDS
        lower = probability(level + 1, context[1:])
        followers = {sequence[-1]: count for sequence, count in levels[level].items() if sequence[:-1] == context}
        if not followers:
            return lower
        return (followers.get(id, 0) + len(followers) * lower) / (sum(followers.values()) + len(followers))

    return probability(0, tuple(context))


def toy_text(num_documents: int, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    parts = ["the cat", "a small dog", "Lily", "Tom"], ["saw", "liked", "found"], ["the ball", "a red hat", "some cake"]
    return ["".join(" ".join(map(rng.choice, parts)) + ". " for _ in range(rng.randint(1, 6))).encode() for _ in range(num_documents)]


@pytest.mark.parametrize("order", [1, 2, 3, 5, MAX_ORDER])
def test_probabilities_sum_to_1_after_any_context(order):
    text = toy_text(30, seed=1)
    model = train_ngram(text, order)
    rng = np.random.default_rng(order)
    seen = list(text[0][: order - 1])
    start = [END] * (order - 1)
    contexts = [seen, start] + [rng.integers(0, NUM_IDS, order - 1).tolist() for _ in range(20)]
    for context in contexts:
        windows = pack(np.array(context + [0]), order) + np.arange(NUM_IDS)
        probabilities = model.probabilities(windows)
        assert (probabilities > 0).all()
        assert math.isclose(probabilities.sum(), 1, abs_tol=1e-12)


@settings(deadline=None, max_examples=50)
@given(documents_of_few_letters, st.integers(1, 4), st.data())
def test_equals_a_naive_implementation(documents, order, data):
    ids = st.sampled_from([*b"abcde", END])
    context = data.draw(st.lists(ids, min_size=order - 1, max_size=order - 1))
    id = data.draw(ids)
    window = pack(np.array(context + [id]), order)
    assert math.isclose(train_ngram(documents, order).probabilities(window)[0], naive_probability(documents, context, id), rel_tol=1e-12)


@settings(deadline=None, max_examples=20)
@given(documents_of_few_letters, documents_of_few_letters, st.integers(1, 4))
def test_bits_of_a_document_are_those_of_its_ids(train, scored, order):
    bits = train_ngram(train, order).bits(scored)
    assert bits.shape == (len(scored),)
    for document, cost in zip(scored, bits, strict=True):
        ids = [END] * (order - 1) + list(document) + [END]
        windows = [ids[at : at + order] for at in range(len(document) + 1)]
        expected = -sum(math.log2(naive_probability(train, window[:-1], window[-1])) for window in windows)
        assert math.isclose(cost, expected, rel_tol=1e-9)


def test_order_1_by_hand():
    # "aab" and END: counts a 2, b 1, END 1; 4 ids of 3 kinds.
    bits = train_ngram([b"aab"], 1).bits([b"ab", b"", b"z"])
    p_a, p_b, p_end, p_z = [(count + 3 / 257) / (4 + 3) for count in (2, 1, 1, 0)]
    assert np.allclose(bits, [-math.log2(p_a * p_b * p_end), -math.log2(p_end), -math.log2(p_z * p_end)])


def test_more_context_costs_less_on_text():
    floors = ngram_floors(toy_text(300, seed=2), toy_text(30, seed=3))
    assert list(floors) == [1, 3, 5]
    assert 8 > floors[1] > floors[3] > floors[5] > 0


def test_bits_per_byte_counts_every_end_and_divides_by_bytes():
    train, valid = toy_text(50, seed=4), toy_text(5, seed=5)
    model = train_ngram(train, 3)
    assert ngram_floors(train, valid, orders=(3,)) == {3: model.bits(valid).sum() / sum(map(len, valid))}


def test_bytes_never_seen_cost_a_finite_number_of_bits():
    for order in (1, 3, 5):
        cost = train_ngram([b"aaaa"], order).bits([bytes(range(256))])
        assert np.isfinite(cost).all()


def test_arrays_and_bytes_give_the_same_bits():
    text = toy_text(10, seed=6)
    arrays = [np.frombuffer(document, dtype=np.uint8) for document in text]
    assert (train_ngram(arrays, 3).bits(text) == train_ngram(text, 3).bits(arrays)).all()


def test_the_batch_size_does_not_matter(monkeypatch):
    train, valid = toy_text(20, seed=7), [b"", *toy_text(10, seed=8), b"", b""]
    for order in (1, 4):
        at_once = train_ngram(train, order).bits(valid)
        monkeypatch.setattr(ngram, "_WINDOWS_AT_ONCE", 7)
        in_batches = train_ngram(train, order).bits(valid)
        monkeypatch.undo()
        assert len(in_batches) == len(valid) and np.allclose(in_batches, at_once)


def test_floors_train_on_the_first_bytes_only(monkeypatch):
    monkeypatch.setattr(ngram, "MAX_TRAIN_BYTES", 10)
    assert ngram_floors([b"abcdef", b"abcdXXXX", b"XXXX"], [b"abc"]) == ngram_floors([b"abcdef", b"abcd"], [b"abc"])


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(TavuError, match="There is no document to train the n-gram floor on, expected at least one."):
        train_ngram([], 3)


def test_nothing_to_score_is_an_error():
    with pytest.raises(TavuError, match="There is no byte to score with the n-gram floors, expected some text."):
        ngram_floors([b"abc"], [b""])


@pytest.mark.parametrize("order", [0, MAX_ORDER + 1])
def test_an_order_that_does_not_fit_is_an_error(order):
    with pytest.raises(TavuError, match=f"The n-gram order is {order}, expected 1 to 7. Try 5."):
        train_ngram([b"abc"], order)
