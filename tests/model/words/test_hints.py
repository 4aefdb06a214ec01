"""Hints that a word comes next, by a slow rule written again here: it followed the last word before, or is requested and not yet written."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from tavu.config import MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.data.records import MARK
from tavu.model.words.read import word_features
from tavu.model.words.repeats import find_hints
from tavu.vocabulary import END, MARK_ID

CONFIG = WordPatchConfig((TransformerConfig(16, 1, 1, 16), MLPStackConfig(8, 1, 16)), 64, max_patch_size=6, pointer_dim=8)
ids_of_records = st.lists(st.sampled_from([*b"aabbc   ,", *b"ab a", 0xC3, MARK_ID, END]), min_size=1, max_size=50)


def slow_hints(ids: list[int]) -> list[set[tuple[int, int]]]:
    """For each hint the (patch, word) that it holds for, a word being the patch that spells it."""
    words = word_features(torch.tensor([ids]), CONFIG)
    first = [t for t in words.start[0].tolist() if t < len(ids)]
    spelled = words.last_word[0, 1 : len(first)].tolist()  # of every patch but the last
    follows, wanted = set(), set()
    for k, begin in enumerate(first):
        ends = [t for t in range(begin) if ids[t] == END]
        document = [j for j in range(k) if not ends or first[j] > ends[-1]]
        marks = [t for t in range(first[document[0]] if document else begin, begin) if ids[t] == MARK_ID]
        for j in document:
            if j - 1 in document and spelled[j - 1] == spelled[k - 1]:
                follows.add((k, j))
            after_mark = [i for i in document if i > j and any(mark < first[i] for mark in marks) and MARK_ID not in ids[first[i] : first[i + 1]]]
            if marks and first[j] <= marks[-1] and spelled[j] not in [spelled[i] for i in after_mark]:
                wanted.add((k, j))
    return [follows, wanted]


@given(ids_of_records)
def test_the_slow_rule_agrees(ids):
    tensor = torch.tensor([ids])
    found = find_hints(tensor, word_features(tensor, CONFIG))
    assert found.shape == (1, found.size(1), 2, found.size(1)) and not found[..., 0].any()
    assert [{(k, key - 1) for k, key in hint.nonzero().tolist()} for hint in found[0].unbind(1)] == slow_hints(ids)


def test_a_word_is_wanted_until_it_is_written():
    ids = torch.tensor([list(b"Words: oak, quit\nStory:" + MARK + b"The oak, and the end. ")])
    words = word_features(ids, CONFIG)
    wanted = find_hints(ids, words)[0, :, 1]
    oak, quit_ = (int(words.patch[0, ids[0].tolist().index(letter)]) + 1 for letter in (ord("k"), ord("q")))
    story = int(words.patch[0, ids[0].tolist().index(ord("T"))])
    assert not wanted[:story].any()
    assert wanted[story : story + 2, oak].all() and not wanted[story + 2 :, oak].any() and wanted[story:, quit_].all()
