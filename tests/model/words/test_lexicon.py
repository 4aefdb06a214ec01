"""The lexicon scores each byte by the probability of the words that it continues, and scores 0 where it knows no word."""

import pytest
import torch

from tavu.config import MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.model.words.lexicon import BLOCK, PROB_FLOOR, PROB_UNLIKELY, Lexicon, RangeSums
from tavu.model.words.read import word_features
from tavu.vocabulary import END

WORDS = sorted([b"the ", b"then ", b"there ", b"dog ", b"dog.", b' "', b"\xc3\xa4iti ", b"\0x "])


@pytest.fixture
def lexicon() -> Lexicon:
    torch.manual_seed(0)
    lexicon = Lexicon(WordPatchConfig((TransformerConfig(16, 1, 1, 16), MLPStackConfig(8, 1, 16)), 64, prefix_rows=4096, lexicon_words=12))
    for i, word in enumerate(WORDS):
        lexicon.spellings[i, : len(word)] = torch.tensor(list(word), dtype=torch.uint8)
        lexicon.lengths[i] = len(word)
    lexicon.build_tree()
    with torch.no_grad():
        lexicon.words.weight.normal_()
    return lexicon.eval()


def scores(lexicon: Lexicon, word_probs: torch.Tensor, prefix: bytes) -> torch.Tensor:
    """The scores of each next id after a prefix, for the word probabilities (1, W) of one patch."""
    read = word_features(torch.tensor([[*prefix, END]]), lexicon.config)
    assert len(prefix) < 2 or not read.patch[0, len(prefix)]
    return lexicon(word_probs, lexicon.next_bytes(torch.tensor([0]), read.byte_rows[0, -1:, 0], read.byte_fingerprints[0, -1:, 0]))[0]


@torch.inference_mode()
@pytest.mark.parametrize("prefix", [b"", b"t", b"the", b"dog", b"\xc3", b"there", b"\0"])
def test_the_score_of_a_byte_is_that_of_the_words_that_it_continues(lexicon, prefix):
    global_out = torch.randn(1, 16)
    share = dict(zip(WORDS, (lexicon.words(global_out) + lexicon.bias).softmax(-1)[0].double(), strict=False))
    scored = scores(lexicon, lexicon.word_probs(global_out), prefix)
    begun = {word: p for word, p in share.items() if word.startswith(prefix)}
    for byte in range(257):
        going_on = sum(p for word, p in begun.items() if word[len(prefix) : len(prefix) + 1] == bytes((byte & 255,)) and byte < 256)
        expected = 0.5 * torch.log1p(torch.as_tensor(going_on / (sum(begun.values()) + PROB_UNLIKELY)) / PROB_FLOOR)
        assert torch.allclose(scored[byte].double(), expected.double(), atol=1e-5), byte
    assert (scored > 0).sum() == len({word[len(prefix)] for word in begun})


@torch.inference_mode()
@pytest.mark.parametrize("prefix", [b"thx", b"zebra", b"\1", b"doge"])
def test_what_is_no_prefix_of_a_word_scores_0(lexicon, prefix):
    assert not scores(lexicon, lexicon.word_probs(torch.randn(1, 16)), prefix).any()


@torch.inference_mode()
def test_without_words_all_scores_are_0():
    empty = Lexicon(WordPatchConfig((TransformerConfig(16, 1, 1, 16), MLPStackConfig(8, 1, 16)), 64, lexicon_words=12))
    assert not scores(empty, empty.word_probs(torch.randn(1, 16)), b"").any()


def test_a_word_that_comes_becomes_more_probable(lexicon):
    global_out = torch.randn(1, 16)
    optimizer = torch.optim.Adam(lexicon.parameters(), lr=0.1)
    for _ in range(50):
        expected = lexicon.word_probs(global_out)
        loss = sum(torch.nn.functional.cross_entropy(scores(lexicon, expected, b"then "[:i])[None], torch.tensor([b"then "[i]])) for i in range(5))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    shares = lexicon.word_probs(global_out)[0]
    assert shares[WORDS.index(b"then ")] > 0.9


def test_sums_of_ranges_and_their_gradients():
    """Ranges that are empty, within a block, at its borders, and over several blocks; a small sum beside a probability near 1 keeps its digits."""
    W = 4 * BLOCK
    probs = torch.rand(3, W).square() * 1e-6
    probs[1, 5] = 0.999
    probs.requires_grad_()
    ends = [0, 1, 5, 6, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 2, W - 1, W]
    row, first, past = torch.tensor([(r, a, b) for r in range(3) for a in ends for b in ends if a <= b]).T
    sums = RangeSums.apply(probs, row, torch.stack((first, past), dim=-1))
    expected = torch.stack([probs[r, a:b].double().sum() for r, a, b in zip(row.tolist(), first.tolist(), past.tolist(), strict=True)])
    assert torch.allclose(sums.double(), expected, rtol=1e-5, atol=1e-12)
    weights = torch.rand(len(sums))
    ours, plain = (torch.autograd.grad((x * weights).sum(), probs)[0] for x in (sums, expected))
    assert torch.allclose(ours, plain, rtol=1e-5)
