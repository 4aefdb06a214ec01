"""The pointer scores each byte by the probability of the words that it would continue, by a slow rule written again here."""

import math
import re
from collections import defaultdict

import torch
from hypothesis import given
from hypothesis import strategies as st

from tavu.config import MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.model.words.lexicon import PROB_FLOOR, PROB_UNLIKELY
from tavu.model.words.pointer import Pointer
from tavu.model.words.read import word_features
from tavu.model.words.repeats import find_hints, find_repeats
from tavu.vocabulary import END, NUM_IDS

CONFIG = WordPatchConfig((TransformerConfig(16, 1, 1, 16), MLPStackConfig(8, 1, 16)), 64, max_patch_size=6, pointer_dim=8)
ids_of_words = st.lists(st.sampled_from([*b"aabbc  ,.", 0xC3, END]), min_size=1, max_size=50)


def slow_repeats(ids: list[int]) -> list[tuple[int, int, int]]:
    """(position, word, next id) of all repeats: each patch as its letters and what follows, those of the document before it compared one by one."""
    first = [t for t in word_features(torch.tensor([ids]), CONFIG).start[0].tolist() if t < len(ids)]
    text = "".join(chr(id) for id in ids)  # END is chr(256), no letter here
    patches = [text[begin:end] for begin, end in zip(first, [*first[1:], len(ids)], strict=True)]
    found = []
    for k, patch in enumerate(patches):
        for offset in range(len(patch)):
            letters = re.sub("^[^abc\xc3]+", "", patch[:offset])
            for j in range(k):
                word = re.sub("^[^abc\xc3]+", "", patches[j])
                is_same_document = END not in ids[first[j] : first[k]]
                if is_same_document and word.startswith(letters) and len(word) > len(letters):
                    found.append((first[k] + offset, j, ord(word[len(letters)])))
    return found


@given(ids_of_words)
def test_the_slow_rule_agrees(ids):
    tensor = torch.tensor([ids])
    repeats = find_repeats(tensor, word_features(tensor, CONFIG))
    found = zip(repeats.position.tolist(), repeats.word.tolist(), repeats.next_id.tolist(), strict=True)
    assert sorted(found) == sorted(slow_repeats(ids))


@given(ids_of_words, st.integers(0, 49))
def test_the_repeats_of_the_last_positions_are_among_all(ids, first):
    tensor, first = torch.tensor([ids, ids[::-1]]), min(first, len(ids) - 1)
    features = word_features(tensor, CONFIG)
    every, last = (find_repeats(tensor, features, since) for since in (0, first))
    T, L = len(ids), len(ids) - first
    assert list(zip(last.position.tolist(), last.word.tolist(), last.next_id.tolist(), strict=True)) == [
        (position // T * L + position % T - first, word, next_id)
        for position, word, next_id in zip(every.position.tolist(), every.word.tolist(), every.next_id.tolist(), strict=True)
        if position % T >= first
    ]


def test_a_word_of_a_list_is_the_same_word_in_a_story():
    ids = torch.tensor([list(b"Words: oak, quit\noak q")])
    repeats = find_repeats(ids, word_features(ids, CONFIG))
    found = defaultdict(set)
    for position, next_id in zip(repeats.position.tolist(), repeats.next_id.tolist(), strict=True):
        found[position].add(chr(next_id))
    assert found[17] >= {"W", "o", "q"} and found[18] == {"a"} and found[19] == {"k"} and found[20] == {","} and found[22 - 1] >= {"o", "q"}


@torch.inference_mode()
def test_scores_are_the_shares_of_what_is_expected():
    torch.manual_seed(0)
    pointer, ids = Pointer(CONFIG), torch.tensor([[*b"a cat, a cap", END, *b"a cat cab"], [*b"so so so", END, *b"on and on and"]])
    words = word_features(ids, CONFIG)
    K, repeats = words.start.size(1), find_repeats(ids, words)
    global_out = torch.randn(2, K, 16)
    expected = pointer.copy_probs(global_out, pointer.keys(global_out), find_hints(ids, words), torch.arange(1, K + 1))
    torch.testing.assert_close(expected.sum(-1), torch.ones(2, K))
    assert not expected.triu(1).any()
    scores = pointer(expected.flatten(0, 1), words.patch + torch.tensor([[0], [K]]), repeats)
    for row, t in ((0, 21), (1, 20), (0, 0), (0, 13)):
        mass = torch.zeros(NUM_IDS)
        for position, word, next_id in zip(repeats.position.tolist(), repeats.word.tolist(), repeats.next_id.tolist(), strict=True):
            if position == row * ids.size(1) + t:
                mass[next_id] += expected[row, words.patch[row, t], word + 1]
        of_these = mass / (mass.sum() + PROB_UNLIKELY)
        wanted = 0.25 * (torch.log1p(mass / PROB_FLOOR) + torch.log1p(of_these / PROB_FLOOR))
        torch.testing.assert_close(scores[row, t], wanted)
    assert not scores[0, 0].any() and not scores[0, 13].any()  # nothing stands before them
    assert scores[0].max() > 0.25 * math.log(1 / PROB_FLOOR)
