"""Initialization from n-gram counts: a model knows the letters and words of its text before the first step."""

import numpy as np
import pytest
import torch

from tavu.config import DataConfig, MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.data.corpus import build_corpus
from tavu.evaluation.bits_per_byte import bits_per_byte
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.model.designs import build_model
from tavu.model.words.counts import initialize_from_counts
from tavu.model.words.read import word_features
from tavu.training.loop import train

CONFIG = WordPatchConfig(
    (TransformerConfig(32, 1, 2, 64), MLPStackConfig(64, 1, 64)),
    max_seq_len=256,
    word_rows=1024,
    pair_rows=512,
    prefix_rows=4096,
    ngram_rows=4096,
    phrase_orders=(1,),
    phrase_rows=4096,
    lexicon_words=200,
)


def counted_model(documents, max_bytes: int = 1_000_000):
    torch.manual_seed(0)
    model = build_model(CONFIG)
    initialize_from_counts(model, documents, max_bytes)
    return model.eval()


def test_a_model_that_was_counted_is_ahead_after_a_few_steps(tiny, corpus, tmp_path):
    """And it knows all at once what many steps would teach it."""

    def bpb(name: str, *settings: str) -> float:
        *_, finished = train(tiny(*settings), corpus, tmp_path / name)
        return finished.validation.bits_per_byte

    assert bpb("counted", "train.steps=15") < bpb("not", "train.steps=15", "train.counted_bytes=0") - 0.5


def test_words_that_are_followed_alike_get_vectors_alike(tmp_path):
    text = "".join(f"the {animal} sat on the {thing} by the {animal}. " for animal in ("cat", "dog", "hen") for thing in ("mat", "rug", "bed"))
    (tmp_path / "text.txt").write_text("\n<|endoftext|>\n".join(f"{n} {text}" for n in range(20)))
    documents = build_corpus(DataConfig((str(tmp_path / "text.txt"),)), cache_dir=tmp_path).train
    model = counted_model(documents)

    def vector(word: bytes) -> torch.Tensor:
        words = word_features(torch.tensor([[*b"x ", *word, ord("x")]]), CONFIG)
        return model.word_embedder.words(model.word_embedder.word_row(words.last_word[0, -1]))

    cat, dog, mat = vector(b"cat "), vector(b"dog "), vector(b"mat ")
    assert torch.cosine_similarity(cat, dog, dim=0) > torch.cosine_similarity(cat, mat, dim=0) + 0.2


def test_the_commonest_words_become_the_lexicon(tmp_path):
    text = "the cat saw the dog. the cat ran; the end. " * 20 + "once"
    (tmp_path / "text.txt").write_text("\n<|endoftext|>\n".join(f"{n} {text}" for n in range(20)))
    lexicon = counted_model(build_corpus(DataConfig((str(tmp_path / "text.txt"),)), cache_dir=tmp_path).train).lexicon
    words = lexicon.vocabulary()
    assert words == sorted([b"the ", b"cat ", b"saw ", b"dog.", b" the ", b"ran;", b"end."])  # nothing that ends with the document
    expected = lexicon.word_probs(torch.zeros(1, 32))[0].tolist()
    assert max(expected[len(words) :]) < 1e-9
    assert expected[words.index(b"cat ")] == pytest.approx(2 * expected[words.index(b"saw ")], rel=0.05)


@pytest.mark.parametrize("document", [b"x", b"aaaaaaaaaa", bytes(range(256)), "päivää ".encode() * 50])
def test_any_text_will_do(tmp_path, document):
    (tmp_path / "file.bin").write_bytes(document)
    (tmp_path / "valid.bin").write_bytes(b"valid")
    data = DataConfig((str(tmp_path / "file.bin"),), (str(tmp_path / "valid.bin"),), as_bytes=True)
    corpus = build_corpus(data, cache_dir=tmp_path)
    model = counted_model(corpus.train)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert np.isfinite(bits_per_byte(TorchScorer(model), [np.frombuffer(document, dtype=np.uint8)]).bits_per_byte)


def test_only_as_much_is_counted_as_was_asked_for(corpus):
    little, all_of_it = (counted_model(corpus.train, max_bytes) for max_bytes in (4096, 10_000_000))
    rows_begun = [int((m.byte_embedder.hashed.weight.abs().amax(1) > 0.3).sum()) for m in (little, all_of_it)]
    assert 0 < rows_begun[0] < rows_begun[1]
