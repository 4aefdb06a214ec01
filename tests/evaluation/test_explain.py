"""An explanation shows the bits, candidates and attention of the model itself, and its page shows the whole text, escaped."""

import re

import pytest
import torch

from tavu.errors import TavuError
from tavu.evaluation.explain import Nearest, explain
from tavu.evaluation.torch_scorer import id_bits
from tavu.reports.explain_page import explain_page
from tavu.vocabulary import END

TEXT = "Äiti sai a red <ball>.".encode()


@torch.inference_mode()
def test_an_explanation_agrees_with_the_model(model):
    explanation = explain(model, TEXT, 4)
    ids = torch.tensor([[END, *TEXT, END]])
    logits = model(ids)
    assert [byte.id for byte in explanation.bytes] == [*TEXT, END]
    assert [byte.bits for byte in explanation.bytes] == pytest.approx(id_bits(logits, ids)[0, 1:].tolist())
    for t, byte in enumerate(explanation.bytes, 1):
        probabilities = logits[0, t].softmax(-1)
        assert [id for id, _ in byte.candidates] == probabilities.topk(5).indices.tolist()
        assert byte.candidates[0][1] == pytest.approx(float(probabilities.max()))
    assert [t for t, byte in enumerate(explanation.bytes, 1) if byte.begins_patch] == [start for start in model.global_starts(ids) if start]
    assert b"".join(TEXT[patch.start : patch.stop] for patch in explanation.patches) == TEXT
    for k, patch in enumerate(explanation.patches):
        assert all(-1 <= place < k and 0 <= share <= 1.001 for place, share in patch.attended)


@torch.inference_mode()
def test_attention_maps_are_distributions_over_earlier_patches(either_model, make_ids):
    maps = either_model.global_attention(make_ids(1, 40))
    assert torch.allclose(maps.sum(-1), torch.ones(maps.shape[:-1])) and not maps.triu(1).any()


def test_the_nearest_story(either_model):
    train = [b"one two three four", b"One day a fox saw a hen.", b"nothing at all"]
    assert explain(either_model, b"a fox saw a dog", 0, train).nearest == Nearest("One day a fox saw a hen.", 2 / 3)
    assert explain(either_model, b"quite another thing", 0, train).nearest is None
    assert explain(either_model, b"fox", 0, train).nearest is None


def test_the_page_shows_the_text_and_runs_nothing(either_model):
    page = explain_page(explain(either_model, TEXT, 4, [b"a red <ball> <script>x</script>"]), "m")
    shown = re.sub(r"<[^>]*>", "", page[page.index('class="text glow">') + len('class="text glow">') : page.index("▪")])
    assert shown == "Äiti sai a red &lt;ball&gt;."
    assert "<script" not in page and "&lt;script&gt;" in page
    assert explain_page(explain(either_model, b"\xff\xfe a \xc3", 0), "m").count("<tr>") > 1


@pytest.mark.parametrize("text", [b"", b"x" * 47])
def test_a_text_that_does_not_fit_the_context(either_model, text):
    with pytest.raises(TavuError, match=f"The text has {len(text)} bytes, expected 1 to 46"):
        explain(either_model, text, 0)
