"""The native engine writes what PyTorch writes, for all weights and ways of sampling; and no file makes it read out of bounds."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

import tavu
from tavu.config import FixedPatchConfig, LevelConfig, MLPStackConfig, SamplingConfig, TransformerConfig
from tavu.engine import native
from tavu.engine.native import NativeEngine, NativeSampling
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import document_bits
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.generation.decoder import Decoder, TorchWriter, prompt_ids
from tavu.generation.writing import stream, write
from tavu.model_file import load_model, save_model
from tavu.stored_model import open_model
from tavu.vocabulary import END
from tests.conftest import CONFIGS, TEXT
from tests.test_model_file import join, split

pytestmark = pytest.mark.skipif(not native.is_built(), reason="the native engine was not built: no C compiler")

WIDE = dataclasses.replace(CONFIGS["words"], levels=(TransformerConfig(64, 2, 2, 128), MLPStackConfig(32, 2, 64)), pair_rows=0, pointer_dim=32)
"""Wide enough to be quantized, and for every kernel."""
FIXED = FixedPatchConfig((LevelConfig(256, 2, 4, 128, 8), LevelConfig(64, 1, 2, 128, 2), LevelConfig(32, 2, 2, 64)), CONFIGS["words"].max_seq_len)
REQUEST = b"Words: an oak, a red fox\nStory:\xff\nA red oak, a"
FILES = {
    "all parts": (CONFIGS["words"], 16),
    "no lexicon, no pointer, capped": (CONFIGS["words, capped"], 16),
    "pairs": (dataclasses.replace(CONFIGS["words"], pair_rows=16, lexicon_words=0), 16),
    "16 bits": (WIDE, 16),
    "8 bits": (WIDE, 8),
    "4 bits": (WIDE, 4),
    "fixed patches": (CONFIGS["two levels"], 16),
    "fixed patches, three levels": (CONFIGS["three levels"], 16),
    "fixed patches, across their borders": (CONFIGS["cross"], 16),
    "fixed patches, three levels, across": (dataclasses.replace(CONFIGS["conv, cross, three levels"], conv_encoder=False), 16),
    "fixed patches, 8 bits": (FIXED, 8),
    "fixed patches, 4 bits": (FIXED, 4),
    "8 bits, 96 columns": (dataclasses.replace(WIDE, levels=(TransformerConfig(96, 1, 3, 160), MLPStackConfig(32, 1, 96))), 8),
}
CLOSE = {16: 1e-4, 8: 2e-3, 4: 2e-3}
"""Tolerance by bits of the weights. Keys and values are cached as 16-bit integers, and so are inputs of weights of 8 and 4 bits."""
GREEDY = SamplingConfig(temperature=0, valid_utf8=False)


@pytest.fixture(scope="module", params=FILES)
def both(request, make_model, tmp_path_factory):
    """One model in PyTorch and in the engine, from one file."""
    config, bits = FILES[request.param]
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    save_model(path, make_model(config, noise=0.1 if config != FIXED else 0.03), {}, bits=bits)
    return load_model(path)[0], NativeEngine(open_model(path)), bits


@torch.inference_mode()
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("prompt", [*(TEXT[:num] for num in (0, 1, 2, 5, 9, 46, 47, 48, 237)), REQUEST, REQUEST[:20], 2 * REQUEST[-26:]])
def test_logits_are_those_of_pytorch_also_past_the_context(both, prompt):
    model, engine, bits = both
    ids, logits = engine.step(
        [engine.read(prompt)], [NativeSampling(dataclasses.replace(GREEDY, temperature=1.0))], np.full((1, 70), 0.5), want_logits=True
    )
    decoder = Decoder(model, prompt_ids(prompt))
    for i, id in enumerate(ids[0].tolist()):
        torch.testing.assert_close(torch.from_numpy(logits[0, i]), decoder.logits[0], atol=CLOSE[bits], rtol=0)
        if id == END:
            break
        decoder.feed(torch.tensor([id]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.0},
        {"temperature": 2.0, "top_k": 5},
        {"top_p": 0.7},
        {"top_k": 9, "top_p": 0.9, "min_p": 0.05},
        {"top_k": 20, "valid_utf8": False},
        {"repetition_penalty": 1.5, "temperature": 0.3},
        {"stop": ("e", "up")},
    ],
    ids=str,
)
def test_texts_are_those_of_pytorch_whatever_the_sampling(both, changes):
    model, engine, bits = both
    config = SamplingConfig(**{"temperature": 1.2, "max_bytes": 30 if bits == 16 else 10, "seed": 5} | changes)
    for prompt in (b"", b"Once upon a ti", "yö".encode()[:2]):
        texts = [[(text.content, text.stopped) for text in write(writer, prompt, config, count=3)] for writer in (TorchWriter(model), engine)]
        assert texts[0] == texts[1]
    assert "".join(stream(engine, b"Once", config)) == write(engine, b"Once", config)[0].text


@pytest.mark.usefixtures("kernels")
def test_a_text_is_the_same_alone_and_among_many(both):
    _, engine, _ = both
    config = SamplingConfig(temperature=1.0, max_bytes=80)
    together = write(engine, b"Once upon", config, count=70)
    for i in (0, 1, 63, 64, 69):
        (alone,) = write(engine, b"Once upon", dataclasses.replace(config, seed=i))
        assert (alone.content, alone.stopped) == (together[i].content, together[i].stopped)


def test_a_copy_goes_on_as_the_first_would_have(both):
    _, engine, _ = both
    sampling, uniforms = NativeSampling(dataclasses.replace(GREEDY, temperature=1.0)), np.random.default_rng(0).random((1, 90))
    row = engine.read(TEXT[:30])
    engine.step([row], [sampling], uniforms[:, :20])
    copy = row.copy()
    first = engine.step([row], [sampling], uniforms[:, 20:], want_logits=True)
    del row
    second = engine.step([copy], [sampling], uniforms[:, 20:], want_logits=True)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])


def test_rows_come_and_go_each_sampled_its_own_way(both):
    _, engine, _ = both
    ways = [NativeSampling(dataclasses.replace(GREEDY, temperature=temperature)) for temperature in (0, 1.0, 0.5)]
    uniforms = np.random.default_rng(1).random((3, 40))
    alone = [engine.step([engine.read(TEXT[i : 9 * i])], [ways[i]], uniforms[i : i + 1])[0][0] for i in range(3)]
    rows = [engine.read(TEXT[i : 9 * i]) for i in range(3)]
    first = engine.step(rows[:2], ways[:2], uniforms[:2, :10])[0]
    second = engine.step(rows, ways, np.stack([uniforms[0, 10:30], uniforms[1, 10:30], uniforms[2, :20]]))[0]
    third = engine.step(rows[1:], ways[1:], np.stack([uniforms[1, 30:], uniforms[2, 20:30]]))[0]
    for i, parts in enumerate([(first[0], second[0]), (first[1], second[1], third[0]), (second[2], third[1])]):
        together = np.concatenate(parts)
        until = (together == END).argmax() if (together == END).any() else len(together)
        assert np.array_equal(together[:until], alone[i][:until])


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("name", ["local_model.head", "global_model.blocks.0.mlp.up", "global_model.blocks.0.attention.query_key_value"])
def test_weights_that_are_no_numbers_get_a_sentence(make_model, tmp_path, bits, name):
    model = make_model(WIDE, noise=0.1)
    with torch.no_grad():
        model.get_submodule(name).weight[-1, 0] = float("nan")
    save_model(tmp_path / "a", model, {}, bits=bits)
    with pytest.raises(TavuError, match="The model outputs NaN instead of probabilities"):
        write(NativeEngine(open_model(tmp_path / "a")), b"Once", SamplingConfig())


@pytest.mark.parametrize("config", [WIDE, FIXED], ids=["words", "fixed patches"])
@pytest.mark.parametrize("bits", [16, 8, 4])
def test_a_file_that_does_not_fit_gets_the_sentence_that_it_gets_from_pytorch(make_model, tmp_path, bits, config):
    save_model(tmp_path / "whole", make_model(config), {}, bits=bits)
    header, tensors = split((tmp_path / "whole").read_bytes())
    names = [name for name in header if name != "__metadata__"]
    for name in names:
        for change in ({"shape": [*header[name]["shape"], 1]}, {"dtype": {"BF16": "F16", "U8": "I8", "I8": "U8"}.get(header[name]["dtype"], "F32")}):
            (tmp_path / "a").write_bytes(join(header | {name: header[name] | change}, tensors))
            with pytest.raises(TavuError) as raised:
                NativeEngine(open_model(tmp_path / "a"))
            assert "\n" not in str(raised.value) and str(tmp_path / "a") in str(raised.value)
        (tmp_path / "a").write_bytes(join({("other" if key == name else key): entry for key, entry in header.items()}, tensors))
        with pytest.raises(TavuError, match="The file is damaged"):
            NativeEngine(open_model(tmp_path / "a"))


@pytest.mark.parametrize("word", [b"", b"zz"])
def test_a_lexicon_out_of_order_is_refused(make_model, tmp_path, word):
    model = make_model(WIDE)
    model.lexicon.spellings[3, : len(word)] = torch.tensor(list(word), dtype=torch.uint8)
    model.lexicon.lengths[3] = len(word)
    save_model(tmp_path / "a", model, {})
    for opened in (lambda: NativeEngine(open_model(tmp_path / "a")), lambda: load_model(tmp_path / "a")):
        with pytest.raises(TavuError, match="the words of its lexicon are too long or out of order"):
            opened()


DOCUMENTS = (b"", TEXT[:1], TEXT[:47], 4 * TEXT, REQUEST + b" " + TEXT)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("context", [48, 384])
@pytest.mark.parametrize("name", FILES)
def test_text_costs_what_it_does_in_pytorch(make_model, tmp_path, name, context):
    """Also no text, records, and what is longer than the context, where windows begin within a document."""
    config, bits = FILES[name]
    save_model(tmp_path / "a", make_model(dataclasses.replace(config, max_seq_len=context), noise=0.03), {}, bits=bits)
    documents = [np.frombuffer(document, dtype=np.uint8) for document in DOCUMENTS]
    scorers = TorchScorer(load_model(tmp_path / "a")[0]), NativeEngine(open_model(tmp_path / "a"))
    for as_records in (False, True):
        for expected, scored in zip(*(document_bits(scorer, documents, as_records=as_records) for scorer in scorers), strict=True):
            assert scored[:2] == expected[:2]
            np.testing.assert_allclose(scored[2], expected[2], atol=2 * CLOSE[bits])
            np.testing.assert_array_equal(scored[3], expected[3])


@torch.inference_mode()
def test_a_text_costs_what_its_writer_says(both):
    """The logits by which a text is scored are those that it would be drawn from."""
    _, engine, _ = both
    ids = np.array([END, *TEXT[:46]], dtype=np.int32)
    bits, _, logits = engine.score_one(ids, 1, want_logits=True)
    costs = -torch.from_numpy(logits).log_softmax(-1).gather(-1, torch.from_numpy(ids[1:, None]).long())[:, 0] / math.log(2)
    torch.testing.assert_close(torch.from_numpy(bits), costs, atol=1e-5, rtol=1e-5)
    for n in (0, 1, 20, 45):
        _, drawn = engine.step([engine.read(TEXT[:n])], [NativeSampling(GREEDY)], np.zeros((1, 1)), want_logits=True)
        torch.testing.assert_close(torch.from_numpy(drawn[0, 0]), torch.from_numpy(logits[n]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("command", [("generate", "stories", "Once", "--max-bytes", "20"), ("evaluate", "stories", "FILE")], ids=lambda c: c[0])
def test_commands_need_no_torch(command, tmp_path):
    (tmp_path / "text").write_text("Once upon a time there was a cat.")
    arguments = ["tavu", *(str(tmp_path / "text") if part == "FILE" else part for part in command)]
    code = f"import sys; from tavu.cli.main import main; sys.argv = {arguments}\n"
    code += "try: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(("Once", "0.", "1."))


def test_what_it_cannot_run_is_left_to_torch(run_folder, make_model, configs, tmp_path, monkeypatch):
    save_model(tmp_path / "conv", make_model(configs["conv"]), {})
    assert tavu.load(tmp_path / "conv").engine == "torch"
    with pytest.raises(TavuError, match="conv: it does not run in the native engine: it does not know conv_encoder"):
        tavu.load(tmp_path / "conv", engine="native")
    assert tavu.load(run_folder).engine == "native" and tavu.load(run_folder, engine="torch").engine == "torch"
    monkeypatch.setattr(native, "library", lambda: None)
    assert tavu.load(run_folder).engine == "torch"


def test_a_quantized_matrix_without_whole_groups_is_refused(make_model, tmp_path):
    save_model(tmp_path / "a", make_model(dataclasses.replace(CONFIGS["words"], pointer_dim=8)), {})
    header, tensors = split((tmp_path / "a").read_bytes())
    header["pointer.query.weight.scales"] = header.pop("pointer.urge_bias")
    (tmp_path / "a").write_bytes(join(header, tensors))
    with pytest.raises(TavuError, match=r"pointer.query.weight is quantized, which takes a multiple of 32 columns, not 16. The file is damaged"):
        NativeEngine(open_model(tmp_path / "a"))


def test_another_device_is_refused(run_folder):
    with pytest.raises(TavuError, match=r"The native engine runs on the CPU, not on cuda. Omit --device, or --engine."):
        tavu.load(run_folder, device="cuda", engine="native")


@torch.inference_mode()
def test_insist_is_the_same_as_in_pytorch_and_raises_requested_words(both):
    model, engine, bits = both
    if not getattr(model.config, "pointer_dim", 0):
        pytest.skip("no pointer")
    first_of_words = []
    for insist in (0.0, 1.0, 4.0):
        (_,), logits = engine.step([engine.read(REQUEST, insist)], [NativeSampling(GREEDY)], np.zeros((1, 1)), want_logits=True)
        torch.testing.assert_close(torch.from_numpy(logits[0]), Decoder(model, prompt_ids(REQUEST), insist=insist).logits, atol=CLOSE[bits], rtol=0)
        first_of_words.append(float(torch.from_numpy(logits[0, 0]).softmax(-1)[ord("f")]))
    assert len(set(first_of_words)) == 3
