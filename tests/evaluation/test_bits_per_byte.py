"""Every id is counted once, with at least half a context before it, and the result does not depend on batching."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tavu.config import FixedPatchConfig, LevelConfig
from tavu.data.records import MARK
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import bits_per_byte, document_bits, summarize
from tavu.evaluation.torch_scorer import TorchScorer, id_bits
from tavu.model.designs import build_model
from tavu.vocabulary import END

CONTEXT = 48  # of the models in conftest.py
LENGTHS = (0, 1, 5, CONTEXT - 3, CONTEXT - 2, CONTEXT - 1, CONTEXT, CONTEXT + 1, 2 * CONTEXT, 130)


def documents_of(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    letters = np.frombuffer(b"etaoin shr. \x00\xc3\xa4", dtype=np.uint8)
    return [random.choice(letters, n) for n in lengths]


def slow_bits(model, document: np.ndarray) -> np.ndarray:
    """The bits of each id of one document, from windows of the full context with a stride of half the context."""
    ids, context = torch.tensor([END, *document.tolist(), END]), model.config.max_seq_len
    bits = np.full(len(ids), np.nan)
    start = 0
    while True:
        window = ids[None, start : start + context]
        costs = -model(window, torch.float64)[0].double().log_softmax(-1).gather(-1, window[0, :, None])[:, 0] / math.log(2)
        for t, cost in enumerate(costs.tolist(), start):
            if np.isnan(bits[t]):
                bits[t] = cost
        if start + context >= len(ids):
            return bits[1:]
        start += context - context // 2


@torch.inference_mode()
def test_uniform_logits_cost_log2_of_257_bits_per_id():
    model = build_model(FixedPatchConfig((LevelConfig(8, 1, 1, 8, 4), LevelConfig(4, 1, 1, 4)), 16))
    for parameter in model.parameters():
        parameter.zero_()
    for n in (1, 14, 15, 100):
        assert bits_per_byte(TorchScorer(model), documents_of(n)).bits_per_byte == pytest.approx(math.log2(257) * (n + 1) / n, rel=1e-5)


def test_id_bits_are_minus_log2_of_the_probability():
    logits = torch.tensor([[[0.0, math.log(3.0)], [math.log(7.0), 0.0]]], dtype=torch.bfloat16)
    assert id_bits(logits, torch.tensor([[1, 1]])).tolist()[0] == pytest.approx([math.log2(4 / 3), 3.0], abs=0.01)


@torch.inference_mode()
def test_bits_equal_a_simple_implementation(either_model):
    documents = documents_of(*LENGTHS)
    found: list[dict[int, float]] = [{} for _ in documents]
    for document, first, bits, places in document_bits(TorchScorer(either_model, torch.float64), documents):
        assert len(bits) == len(places)
        for t, cost in enumerate(bits.tolist(), first):
            assert t not in found[document], f"id {t} of document {document} is counted twice"
            found[document][t] = cost
    for costs, document in zip(found, documents, strict=True):
        assert list(costs) == list(range(len(document) + 1))  # in order, each byte and END
        assert list(costs.values()) == pytest.approx(slow_bits(either_model, document).tolist(), abs=1e-4)
    expected = sum(sum(costs.values()) for costs in found) / sum(LENGTHS)
    assert bits_per_byte(TorchScorer(either_model), documents).bits_per_byte == pytest.approx(expected, abs=1e-4)


def test_every_id_is_counted_once_whatever_the_context_and_the_lengths():
    models = [build_model(FixedPatchConfig((LevelConfig(4, 1, 1, 4, 2), LevelConfig(4, 1, 1, 4)), context)) for context in (2, 4, 6, 16)]

    @settings(max_examples=50)
    @given(st.sampled_from(models), st.lists(st.integers(0, 70), min_size=1, max_size=5))
    def law(model, lengths):
        counted = [0] * len(lengths)
        for document, first, bits, _ in document_bits(TorchScorer(model), documents_of(*lengths)):
            assert first == counted[document]
            counted[document] += len(bits)
        assert counted == [n + 1 for n in lengths]

    law()


def test_positions_in_patches(make_model, configs):
    document = np.frombuffer(b"one two, three", dtype=np.uint8)
    ((_, _, _, places),) = document_bits(TorchScorer(make_model(configs["words"])), [document])
    assert places.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6]
    ((_, _, _, places),) = document_bits(TorchScorer(make_model(configs["two levels"])), [document])
    assert places.tolist() == [t % 4 for t in range(1, 16)]


def test_bits_do_not_depend_on_order_or_batch(model):
    documents = documents_of(*LENGTHS, seed=1)
    whole = bits_per_byte(TorchScorer(model), documents)
    assert (whole.num_bytes, whole.num_documents) == (sum(LENGTHS), len(LENGTHS))
    turned = bits_per_byte(TorchScorer(model), documents[::-1])
    assert turned.bits_per_byte == pytest.approx(whole.bits_per_byte, abs=1e-5)
    assert turned.standard_error == pytest.approx(whole.standard_error, abs=1e-5)
    alone = [bits_per_byte(TorchScorer(model), [d, documents_of(1)[0]]) for d in documents]
    one = bits_per_byte(TorchScorer(model), documents_of(1)).bits_per_byte
    totals = sum(result.bits_per_byte * result.num_bytes - one for result in alone)
    assert totals / whole.num_bytes == pytest.approx(whole.bits_per_byte, abs=1e-4)


def test_more_documents_than_fit_in_a_batch(make_model, configs):
    model, few = make_model(configs["two levels"]), documents_of(40, 40, 7)
    many = few * 200
    assert bits_per_byte(TorchScorer(model), many).bits_per_byte == pytest.approx(bits_per_byte(TorchScorer(model), few).bits_per_byte, abs=1e-5)
    assert bits_per_byte(TorchScorer(model), many).standard_error < bits_per_byte(TorchScorer(model), few).standard_error


def test_a_trained_model_has_few_bits_on_its_training_text(trained_model):
    known, other = ([np.frombuffer(text, dtype=np.uint8)] for text in (b"hello there.", b"othre.l leeh"))
    cheap = bits_per_byte(TorchScorer(trained_model), known).bits_per_byte
    assert cheap < 0.5 and bits_per_byte(TorchScorer(trained_model), other).bits_per_byte > 4
    assert bits_per_byte(TorchScorer(trained_model, torch.bfloat16), known).bits_per_byte == pytest.approx(cheap, abs=0.1)


def test_the_standard_error_is_that_of_a_bootstrap():
    random = np.random.default_rng(0)
    num_bytes = random.integers(50, 500, size=400)
    bits = num_bytes * random.normal(1.2, 0.2, size=400) + random.normal(9, 2, size=400)
    picks = random.integers(400, size=(4000, 400))
    bootstrap = (bits[picks].sum(1) / num_bytes[picks].sum(1)).std()
    assert summarize(bits.tolist(), num_bytes.tolist()).standard_error == pytest.approx(bootstrap, rel=0.05)


def test_documents_of_one_length_have_the_standard_error_of_a_mean():
    result = summarize([10.0, 20.0, 30.0], [10, 10, 10])
    assert (result.bits_per_byte, result.standard_error) == (2.0, pytest.approx(1 / math.sqrt(3)))


def test_one_document_has_no_standard_error_and_none_is_an_error(make_model, configs):
    assert math.isnan(summarize([10.0], [10]).standard_error)
    model = make_model(configs["two levels"])
    for nothing in ([], documents_of(0), documents_of(0, 0)):
        with pytest.raises(TavuError, match="There is nothing to measure"):
            bits_per_byte(TorchScorer(model), nothing)
    assert bits_per_byte(TorchScorer(model), documents_of(0, 3)).num_bytes == 3


@torch.inference_mode()
def test_only_the_completion_of_a_record_counts(either_model):
    prompt, completion = b"Words: oak\nStory:" + MARK, b"Once there was an oak, and it was tall and old and kind."
    record, plain = (np.frombuffer(document, dtype=np.uint8) for document in (prompt + completion, completion))
    bits = np.concatenate([bits for _, _, bits, _ in document_bits(TorchScorer(either_model), [record])])
    result = bits_per_byte(TorchScorer(either_model), [record], as_records=True)
    assert result.num_bytes == len(completion)
    assert result.bits_per_byte == pytest.approx(bits[len(prompt) :].sum() / len(completion), rel=1e-5)
    assert bits_per_byte(TorchScorer(either_model), [plain], as_records=True) == bits_per_byte(TorchScorer(either_model), [plain])
