"""Words are cut by one rule, written again here; the rows of tables are equal exactly where the ids that were read are."""

from itertools import chain, pairwise

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tavu.config import MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.model.words.read import BEGIN, word_features
from tavu.vocabulary import END

LEVELS = (TransformerConfig(16, 1, 2, 16), MLPStackConfig(8, 1, 8))
MANY = 1 << 30  # rows of tables: so many that different runs of ids have different rows

a_few_letters = st.sampled_from([*b"abZ9", 0, ord(" "), ord("."), ord("\n"), 0xC3, 0xA4, 0xFF, END])
rows_of_ids = st.lists(st.integers(0, END) | a_few_letters | a_few_letters, min_size=1, max_size=60)


def config(cap: int = 24, orders: tuple[int, ...] = (3, 5), phrases: tuple[int, ...] = (1, 2)) -> WordPatchConfig:
    rows = {name: MANY for name in ("word_rows", "pair_rows", "prefix_rows", "ngram_rows", "phrase_rows")}
    return WordPatchConfig(LEVELS, 64, max_patch_size=cap, ngram_orders=orders, phrase_orders=phrases, **rows)


def is_letter(id: int) -> bool:
    return 128 <= id < 256 or chr(id) in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def slow_patches(ids: list[int], cap: int) -> list[list[int]]:
    """The ids cut into patches: after END, after letters and one more, and where a patch is full."""
    patches: list[list[int]] = []
    for t, id in enumerate(ids):
        ended = t > 0 and ids[t - 1] == END
        word_over = t > 1 and is_letter(ids[t - 2]) and not is_letter(ids[t - 1])
        if t == 0 or ended or word_over or len(patches[-1]) == cap:
            patches.append([])
        patches[-1].append(id)
    return patches


def spelled(words, row: int, ids: list[int]) -> list[list[int]]:
    starts = [*(s for s in words.start[row].tolist() if s < len(ids)), len(ids)]
    return [ids[a:b] for a, b in pairwise(starts)]


def test_a_sentence_is_cut_before_each_word():
    text = 'He said: "Yö 日本, 42!"\n\nEnd  now'.encode()
    pieces = spelled(word_features(torch.tensor([list(text)]), config()), 0, list(text))
    assert [bytes(piece).decode() for piece in pieces] == ["He ", "said:", ' "Yö ', "日本,", " 42!", '"\n\nEnd ', " now"]


@given(rows_of_ids, st.integers(2, 9))
@example([*b"a" * 30], 7)
@example([END, END, *b"a b", END, *b" c"], 2)
def test_the_slow_rule_agrees(ids, cap):
    words = word_features(torch.tensor([ids]), config(cap))
    patches = slow_patches(ids, cap)
    assert spelled(words, 0, ids) == patches
    assert words.patch[0].tolist() == [k for k, patch in enumerate(patches) for _ in patch]
    assert words.last_id[0].tolist() == [BEGIN, *(patch[-1] for patch in patches[:-1])]


def assert_same_names(names: list[int], things: list) -> None:
    """Two names are equal exactly where the things named are equal."""
    pairs = {(name, str(thing)) for name, thing in zip(names, things, strict=True)}
    assert len(pairs) == len(set(names)) == len({str(thing) for thing in things})


@given(rows_of_ids, st.integers(2, 9))
def test_rows_are_equal_where_the_ids_that_they_name_are(ids, cap):
    words = word_features(torch.tensor([ids]), config(cap))
    patches = slow_patches(ids, cap)
    assert_same_names(words.byte_rows[0, :, 0].tolist(), [patch[:p] for patch in patches for p in range(len(patch))])
    before = [[], *([id for id in patch if is_letter(id)] or patch for patch in patches)][: len(patches)]  # words: without what is around them
    assert_same_names(words.last_word[0].tolist(), before)
    assert_same_names(words.pair_row[0].tolist(), [(a, b) for a, b in zip([[], *before], before, strict=False)])
    for o, order in enumerate((3, 5)):
        assert_same_names(words.byte_rows[0, :, 1 + o].tolist(), [ids[max(0, t - order) : t] for t in range(len(ids))])
    for o, order in enumerate((1, 2)):
        phrases = [[*chain(*patches[max(0, k - order) : k]), *patch[:p]] for k, patch in enumerate(patches) for p in range(len(patch))]
        assert_same_names(words.byte_rows[0, :, 3 + o].tolist(), phrases)


@given(rows_of_ids, rows_of_ids)
def test_rows_do_not_depend_on_where_a_word_stands(before, other):
    word = [*b"hedgehog "]
    a, b = ([END, *ids, END, *b"the old ", *word, ord("x")] for ids in (before, other))
    first, second = (word_features(torch.tensor([ids]), config()) for ids in (a, b))
    assert first.last_word[0, -1] == second.last_word[0, -1]
    assert first.byte_rows[0, -len(word) - 1 :, 0].tolist() == second.byte_rows[0, -len(word) - 1 :, 0].tolist()
    assert first.byte_rows[0, -1].tolist() == second.byte_rows[0, -1].tolist()


@given(rows_of_ids, rows_of_ids, st.integers(2, 9))
def test_nothing_said_of_a_position_depends_on_it_or_what_follows(ids, others, cap):
    t = len(ids) // 2
    changed = (ids[:t] + others + ids)[: len(ids)]
    words, other = (word_features(torch.tensor([x]), config(cap)) for x in (ids, changed))
    assert torch.equal(words.patch[:, : t + 1], other.patch[:, : t + 1])
    assert torch.equal(words.byte_rows[:, : t + 1], other.byte_rows[:, : t + 1])
    known = int(words.patch[0, t]) + 1
    for name in ("start", "last_word", "pair_row", "last_id"):
        assert torch.equal(getattr(words, name)[:, :known], getattr(other, name)[:, :known])


@given(st.lists(rows_of_ids, min_size=2, max_size=4))
def test_a_row_is_read_as_if_alone(rows):
    T = min(map(len, rows))
    words = word_features(torch.tensor([row[:T] for row in rows]), config(5))
    for i, row in enumerate(rows):
        alone = word_features(torch.tensor([row[:T]]), config(5))
        K = alone.start.size(1)
        assert (words.start[i, K:] == T).all()
        for name in ("start", "last_word", "pair_row", "last_id"):
            assert torch.equal(getattr(words, name)[i, :K], getattr(alone, name)[0])
        for name in ("patch", "byte_rows", "byte_fingerprints"):
            assert torch.equal(getattr(words, name)[i], getattr(alone, name)[0])


def test_rows_stay_within_small_tables():
    small = WordPatchConfig(LEVELS, 64, word_rows=8, pair_rows=8, prefix_rows=4, ngram_rows=2, phrase_orders=(1,), phrase_rows=8)
    words = word_features(torch.randint(0, 257, (4, 64), generator=torch.Generator().manual_seed(0)), small)
    of_bytes = zip(words.byte_rows.unbind(-1), (0, 4, 6, 8), (3, 5, 7, 15), strict=True)
    for rows, first, last in ((words.pair_row, 0, 7), *of_bytes):
        assert rows.min() >= first and rows.max() == last
