"""The logits of a decoder equal those of a prefill of the ids that it keeps, at any length."""

import pytest
import torch

from tavu.config import FixedPatchConfig, LevelConfig, MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.generation.decoder import Decoder
from tavu.vocabulary import END, NUM_IDS

CLOSE = 1e-5


def fresh_logits(model, ids, dtype=torch.float64):
    return model.prefill(ids, model.empty_cache(len(ids), dtype))


@torch.inference_mode()
@pytest.mark.parametrize("num_prompt", [1, 46, 47, 100])
def test_past_the_context_it_equals_prefill_of_the_kept_ids(model, make_ids, num_prompt):
    context = model.config.max_seq_len
    ids = make_ids(2, num_prompt + context + 30)
    decoder = Decoder(model, ids[:, :num_prompt], torch.float64)
    for t in range(num_prompt, ids.size(1)):
        kept = decoder.ids.size(1)
        assert 1 <= kept < context
        assert kept >= min(t, context // 2)
        assert torch.equal(decoder.ids, ids[:, t - kept : t])
        if t < num_prompt + 2 or kept > context - 2 or kept == context // 2 + 1:
            assert torch.allclose(decoder.logits, fresh_logits(model, decoder.ids), atol=CLOSE)
        assert decoder.feed(ids[:, t]) is decoder.logits


@torch.inference_mode()
def test_within_the_context_it_equals_forward(model, make_ids):
    ids = make_ids(3, model.config.max_seq_len)
    logits = model(ids, torch.float64)
    decoder = Decoder(model, ids[:, :1], torch.float64)
    for t in range(1, ids.size(1) - 1):
        assert torch.allclose(decoder.logits, logits[:, t], atol=CLOSE)
        decoder.feed(ids[:, t])


@torch.inference_mode()
def test_only_the_end_of_a_prompt_longer_than_the_context_is_read(model, make_ids):
    ids = make_ids(2, 120)
    assert torch.equal(Decoder(model, ids).logits, Decoder(model, ids[:, 1 - model.config.max_seq_len :]).logits)


@torch.inference_mode()
def test_it_is_deterministic_and_does_not_change_its_prompt(either_model, make_ids):
    prompt = make_ids(1, 9).expand(2, -1)
    before = prompt.clone()

    def greedy(num: int):
        decoder, written = Decoder(either_model, prompt), []
        for _ in range(num):
            written.append(decoder.logits.argmax(-1))
            decoder.feed(written[-1])
        return torch.stack(written, dim=1)

    written = greedy(100)
    assert torch.equal(written, greedy(100)) and torch.equal(written[0], written[1])
    assert torch.equal(prompt, before)


@torch.inference_mode()
@pytest.mark.parametrize("context", [2, 3, 4, 6])
def test_the_shortest_contexts(make_model, context):
    models = [
        make_model(WordPatchConfig((TransformerConfig(8, 1, 2, 8), MLPStackConfig(8, 1, 8)), context, word_rows=8, prefix_rows=8, ngram_rows=8))
    ]
    if context % 2 == 0:
        models.append(make_model(FixedPatchConfig((LevelConfig(8, 1, 2, 8, 2), LevelConfig(8, 1, 1, 8)), context)))
    for model in models:
        decoder = Decoder(model, torch.tensor([[END]]), torch.float64)
        for id in b"ab cd ef gh":
            assert 1 <= decoder.ids.size(1) < context
            assert torch.allclose(decoder.logits, fresh_logits(model, decoder.ids), atol=CLOSE)
            assert decoder.feed(torch.tensor([id])).shape == (1, NUM_IDS)


@torch.inference_mode()
def test_bfloat16_stays_close(either_model, make_ids):
    ids = make_ids(2, 130)
    exact, rough = Decoder(either_model, ids[:, :7]), Decoder(either_model, ids[:, :7], torch.bfloat16)
    for t in range(7, 130):
        assert (exact.feed(ids[:, t]) - rough.feed(ids[:, t])).abs().mean() < 0.1
        assert rough.logits.dtype == torch.float32
