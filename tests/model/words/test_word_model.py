"""The word model on ids of every kind: words that begin at different places in each row, words over the cap, END and byte 0 anywhere.

The laws that it shares with fixed patches are in test_megabyte.py.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tavu.config import MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.model.words.embedders import ByteEmbedder, WordEmbedder
from tavu.model.words.read import PATCH_STEP, word_features
from tavu.vocabulary import END

CLOSE = 1e-5
CAPS = (2, 3, 24)
T = 32

ids_in_words = st.sampled_from([*b"abcdefghi", ord(" "), ord("."), 0, 0xC3, END]) | st.integers(0, END)
rows_of_ids = st.lists(st.lists(ids_in_words, min_size=T, max_size=T), min_size=1, max_size=4)


def config(cap: int, orders: tuple[int, ...] = (2, 4), phrases: tuple[int, ...] = (1, 3)) -> WordPatchConfig:
    levels = (TransformerConfig(16, 2, 2, 32), MLPStackConfig(8, 1, 16))
    rows = {f"{name}_rows": 64 for name in ("word", "pair", "prefix", "ngram", "phrase")}
    return WordPatchConfig(levels, T, max_patch_size=cap, ngram_orders=orders, phrase_orders=phrases, lexicon_words=40, pointer_dim=8, **rows)


def test_prefill_and_steps_equal_forward_whatever_the_ids(make_model):
    models = {cap: make_model(config(cap)) for cap in CAPS}

    @settings(max_examples=60)
    @given(rows_of_ids, st.sampled_from(CAPS), st.integers(1, T - 1))
    @torch.inference_mode()
    def law(rows, cap, num_prompt):
        model, ids = models[cap], torch.tensor(rows)
        logits = model(ids, torch.float64)
        cache = model.empty_cache(len(rows), torch.float64)
        assert torch.allclose(model.prefill(ids[:, :num_prompt], cache), logits[:, num_prompt], atol=CLOSE)
        for t in range(num_prompt, T - 1):
            assert torch.allclose(model.step(ids[:, t], cache), logits[:, t + 1], atol=CLOSE)

    law()


def test_nothing_is_seen_too_early_whatever_the_ids(make_model):
    models = {cap: make_model(config(cap)) for cap in CAPS}

    @settings(max_examples=60)
    @given(rows_of_ids, st.sampled_from(CAPS), st.integers(0, T - 1), st.randoms(use_true_random=False))
    @torch.inference_mode()
    def law(rows, cap, t, random):
        changed = [row[:t] + [random.randrange(257) for _ in row[t:]] for row in rows]
        first, second = (models[cap](torch.tensor(x), torch.float64) for x in (rows, changed))
        assert torch.allclose(first[:, : t + 1], second[:, : t + 1], atol=CLOSE)

    law()


@pytest.mark.parametrize("cap", CAPS)
def test_padded_inputs_give_the_same_logits_and_gradients(make_model, cap):
    """Whatever the ids: padding adds patches after the last, and pairs of a byte and a word that add nothing."""
    model = make_model(config(cap)).train()

    @settings(max_examples=20)
    @given(rows_of_ids)
    def law(rows):
        ids = torch.tensor(rows)
        results = []
        for padded in (False, True):
            inputs = model.read(ids, padded=padded)
            logits = model.predict(inputs)
            model.zero_grad()
            logits.square().mean().backward()
            results.append([logits, *(p.grad.to_dense() for p in model.parameters())])
        assert inputs.words.size(1) % PATCH_STEP == 0
        assert all(torch.allclose(exact, padded, rtol=1e-4, atol=CLOSE) for exact, padded in zip(*results, strict=True))

    law()


@torch.inference_mode()
def test_one_patch_after_another_at_the_shortest_words(make_model):
    """A patch a position is the most that a context can hold: END after END."""
    model = make_model(config(24))
    ids = torch.full((2, T), END)
    logits = model(ids, torch.float64)
    cache = model.empty_cache(2, torch.float64)
    steps = [model.prefill(ids[:, :1], cache)] + [model.step(ids[:, t], cache) for t in range(1, T - 1)]
    assert torch.allclose(torch.stack(steps, dim=1), logits[:, 1:], atol=CLOSE)


@torch.inference_mode()
def test_a_word_changes_predictions_many_words_later(make_model):
    model = make_model(config(24, orders=(), phrases=()))
    ids, other = (torch.tensor([[END, *(start + b" was here and then it went").ljust(T - 1)[: T - 1]]]) for start in (b"ann", b"bob"))
    difference = (model(ids, torch.float64) - model(other, torch.float64)).abs().amax(-1)[0]
    assert difference[0] == 0 and difference[1] < CLOSE
    assert (difference[2:] > 1e-4).all()


@torch.inference_mode()
def test_without_ngrams_and_phrases_a_byte_depends_on_its_own_word_and_whole_words_before(make_model):
    """The bytes inside a word depend on where it stands only through the global model, whose output is the same for all of them."""
    model = make_model(config(24, orders=(), phrases=()))
    ids = torch.tensor([[END, *b"one two three four five six son"]])
    alone = torch.tensor([[END, *b"one two three four five six sun"]])
    first, second = model(ids, torch.float64), model(alone, torch.float64)
    assert torch.allclose(first[:, :30], second[:, :30], atol=CLOSE)
    assert not torch.allclose(first[:, 31], second[:, 31], atol=1e-3)


def test_a_word_has_a_row_of_its_own_or_shares_one_of_the_last():
    tiny = config(24)
    embedder, word = WordEmbedder(tiny), word_features(torch.tensor([[*b"one two three four five"]]), tiny).last_word[0]
    assert (embedder.word_row(word) >= len(embedder.known)).all()
    embedder.known[:3] = word[[1, 3, 4]].sort().values  # "one", "three", "four"
    rows = embedder.word_row(word)
    assert sorted(rows[[1, 3, 4]].tolist()) == [0, 1, 2] and len(embedder.known) <= rows[2] < tiny.word_rows


def test_a_phrase_has_a_row_of_its_own_or_that_of_the_unknown():
    tiny = config(24, phrases=(1,))
    embedder, read = ByteEmbedder(tiny), word_features(torch.tensor([[*b"one two three one two four"]]), tiny)
    assert (embedder.known_rows(read.byte_rows, read.byte_fingerprints)[..., -1] == embedder.unknown[0]).all()
    known = 6  # after "one tw", and so again at 20
    embedder.phrase_fingerprints[read.byte_rows[0, known, -1] - embedder.unknown[0]] = int(read.byte_fingerprints[0, known, -1])
    own = embedder.known_rows(read.byte_rows, read.byte_fingerprints)
    assert (own[0, :, -1] != embedder.unknown[0]).nonzero().flatten().tolist() == [known, 20]
    assert torch.equal(own[..., :-1], read.byte_rows[..., :-1])
