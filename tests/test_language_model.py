"""The Python API of a trained model."""

import inspect
import math

import pytest
import torch

import tavu
from tavu.config import SamplingConfig
from tavu.errors import TavuError
from tavu.language_model import LanguageModel
from tavu.model_file import save_model
from tavu.vocabulary import END


@pytest.fixture(scope="module")
def model(run_folder) -> LanguageModel:
    return tavu.load(run_folder)


@pytest.fixture
def known(trained_model, tmp_path) -> LanguageModel:
    """A LanguageModel that has memorized two documents."""
    save_model(tmp_path / "known.safetensors", trained_model, {"kind": "text"})
    return tavu.load(tmp_path / "known.safetensors")


def test_load_takes_a_folder_or_a_file_as_path_or_text(model, run_folder):
    for path in (run_folder, str(run_folder), run_folder / "model.safetensors"):
        loaded = tavu.load(path)
        assert loaded.path == run_folder / "model.safetensors" and loaded.facts == model.facts and loaded.is_text
    with pytest.raises(tavu.TavuError, match="There is no model 'nowhere'"):
        tavu.load("nowhere")


def test_generate_continues_a_prompt(known):
    assert known.generate("hello", temperature=0) == known.generate(b"hello", temperature=0) == " there."
    assert known.generate("tick", temperature=0, max_bytes=11) == " tock tick "
    assert known.generate("tick", temperature=0, stop=["tick"]) == known.generate("tick", temperature=0, stop="tick") == " tock "


def test_a_stream_equals_generate(model, known):
    pieces = list(known.stream("tick", temperature=0, max_bytes=40))
    assert len(pieces) > 1 and "".join(pieces) == known.generate("tick", temperature=0, max_bytes=40)
    for seed in range(3):
        assert "".join(model.stream("Once", seed=seed, max_bytes=50)) == model.generate("Once", seed=seed, max_bytes=50)


def test_several_texts_equal_those_of_their_seeds(model):
    written = model.write("Once", SamplingConfig(max_bytes=20, seed=3), count=2)
    assert [text.text for text in written] == [model.generate("Once", max_bytes=20, seed=seed) for seed in (3, 4)]


def test_the_settings_of_generate_and_stream_are_those_of_sampling():
    defaults = {name: parameter.default for name, parameter in inspect.signature(SamplingConfig).parameters.items()}
    for function in (LanguageModel.generate, LanguageModel.stream):
        parameters = inspect.signature(function).parameters
        assert parameters.keys() - {"self", "prompt"} == defaults.keys() - {"valid_utf8", "used_bytes", "insist"}  # of the file; of stories to order
        for name in parameters.keys() - {"self", "prompt"}:
            assert parameters[name].default == defaults[name]
            assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY


def test_settings_out_of_range_are_errors(model):
    with pytest.raises(tavu.TavuError, match="temperature is -1, expected"):
        model.generate("Once", temperature=-1)
    with pytest.raises(tavu.TavuError, match="stop has an empty string"):
        model.generate("Once", stop=[".", ""])


def test_bits_per_byte_agree_with_the_logits(model):
    text = "Once upon a time"
    ids = torch.tensor([[END, *text.encode(), END]])
    costs = -model.network(ids).log_softmax(-1)[0, torch.arange(1, ids.size(1)), ids[0, 1:]]
    measured = model.bits_per_byte(text)
    assert math.isclose(measured.bits_per_byte, costs.sum().item() / math.log(2) / len(text), rel_tol=1e-5)
    assert (measured.num_bytes, measured.num_documents) == (len(text), 1) and math.isnan(measured.standard_error)


def test_bits_per_byte_of_several_documents(model):
    one, other = "Once upon a time", b"a bear sang"
    both = model.bits_per_byte([one, other])
    bits = sum(model.bits_per_byte(text).bits_per_byte * len(text) for text in (one, other))
    assert math.isclose(both.bits_per_byte, bits / (len(one) + len(other)), rel_tol=1e-6) and both.num_documents == 2
    for nothing in ("", [], ["", b""]):
        with pytest.raises(tavu.TavuError, match="There is nothing to measure"):
            model.bits_per_byte(nothing)


@pytest.mark.parametrize("num_ids", [0, 1, 2, 63])
def test_logits_equal_the_networks_after_end(model, num_ids):
    ids = torch.randint(0, 256, (3, num_ids), generator=torch.Generator().manual_seed(0))
    logits = model.logits(ids)
    assert logits.shape == (3, num_ids, 257)
    assert torch.equal(logits, model.network(torch.cat((torch.full((3, 1), END), ids), dim=1))[:, 1:])


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (torch.zeros(4, dtype=torch.long), r"ids have shape \(4,\) and dtype torch.int64, expected \(B, T\) int64"),
        (torch.zeros(1, 4), r"ids have shape \(1, 4\) and dtype torch.float32, expected \(B, T\) int64"),
        (torch.zeros(1, 64, dtype=torch.long), "ids have 64 positions, expected at most 63, the context without END at the start"),
        (torch.tensor([[1, END]]), "ids range from 1 to 256, expected bytes, 0 to 255"),
        (torch.tensor([[-1, 3]]), "ids range from -1 to 3, expected bytes, 0 to 255"),
    ],
)
def test_logits_of_invalid_ids(model, ids, sentence):
    with pytest.raises(tavu.TavuError, match=sentence):
        model.logits(ids)


def test_the_package_shows_its_names():
    assert tavu.LanguageModel is LanguageModel
    for name in tavu.__all__:
        assert getattr(tavu, name).__doc__
    with pytest.raises(AttributeError, match="module 'tavu' has no attribute 'trian'"):
        _ = tavu.trian


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_bytes": 2.5}, "max_bytes is 2.5, expected a whole number."),
        ({"max_bytes": True}, "max_bytes is True, expected a whole number."),
        ({"temperature": None}, "temperature is None, expected a number."),
        ({"temperature": "hot"}, "temperature is 'hot', expected a number."),
        ({"seed": 1.5}, "seed is 1.5, expected a whole number."),
        ({"top_k": "3"}, "top_k is '3', expected a whole number."),
    ],
    ids=str,
)
def test_values_of_the_wrong_type_are_refused_in_a_sentence(run_folder, arguments, sentence):
    with pytest.raises(TavuError) as raised:
        tavu.load(run_folder).generate("Once", **arguments)
    assert str(raised.value) == sentence


def test_what_is_no_text_model_engine_or_device_is_refused_in_a_sentence(run_folder):
    for call in (
        lambda: tavu.load(run_folder).bits_per_byte(5),
        lambda: tavu.load(5),
        lambda: tavu.load(run_folder, engine="Native"),
        lambda: tavu.load(run_folder, device="x"),
    ):
        with pytest.raises(TavuError, match="expected"):
            call()
