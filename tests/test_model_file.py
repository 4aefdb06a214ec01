"""A model comes back from its file as it was; whatever is wrong with a file gets one sentence, quickly and in little memory."""

import dataclasses
import json
import os
import struct
import time

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import tavu
from tavu.config import FixedPatchConfig, LevelConfig, MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.errors import TavuError
from tavu.model.designs import build_model, tensor_specs
from tavu.model_file import load_model, save_model
from tavu.quantized import dequantize, quantize
from tavu.run_folder import MODEL
from tavu.stored_model import find_model

FACTS = {"kind": "text", "bits_per_byte": 1.25, "sources": ["äiti.txt"], "nothing": None}
TINY = WordPatchConfig((TransformerConfig(4, 1, 1, 4), MLPStackConfig(4, 1, 4)), 8, word_rows=2, prefix_rows=2, ngram_rows=2)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory, make_model) -> bytes:
    path = tmp_path_factory.mktemp("tiny") / MODEL
    save_model(path, make_model(TINY), FACTS)
    return path.read_bytes()


def split(content: bytes) -> tuple[dict, bytes]:
    """Header and tensors, without the checksum, which whoever tampers with a file leaves out too."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"].pop("crc32", None)
    return header, content[8 + length :]


def join(header: dict, tensors: bytes) -> bytes:
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + tensors


def with_metadata(content: bytes, **changes) -> bytes:
    """The file with parts of tavu's own JSON replaced."""
    header, tensors = split(content)
    own = json.loads(header["__metadata__"]["tavu"]) | changes
    header["__metadata__"]["tavu"] = json.dumps(own)
    return join(header, tensors)


def with_config(content: bytes, **changes) -> bytes:
    header, _ = split(content)
    return with_metadata(content, model=json.loads(header["__metadata__"]["tavu"])["model"] | changes)


def refusal(path, content: bytes) -> str:
    """The sentence that a file gets; it names the file and comes quickly."""
    path.write_bytes(content)
    begun = time.process_time()
    with pytest.raises(TavuError) as raised:
        load_model(path)
    assert time.process_time() - begun < 2
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)
    return str(raised.value).removeprefix(str(path))


def test_a_model_comes_back_rounded_to_bfloat16(model, make_ids, tmp_path):
    save_model(tmp_path / MODEL, model, FACTS)
    loaded, facts = load_model(tmp_path)
    assert facts == FACTS and loaded.config == model.config and not loaded.training
    parameters = dict(loaded.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameters[name].dtype == torch.float32
        assert torch.equal(parameters[name], parameter.bfloat16().float())
    ids = make_ids(2, model.config.max_seq_len)
    rounded = build_model(model.config)
    rounded.load_state_dict({name: t.bfloat16().float() if t.is_floating_point() else t for name, t in model.state_dict().items()})
    with torch.inference_mode():
        torch.testing.assert_close(loaded(ids), rounded(ids))
    save_model(tmp_path / "again.safetensors", loaded, facts)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / MODEL).read_bytes()


def test_a_loaded_model_can_learn_on(model, make_ids, tmp_path):
    save_model(tmp_path / "a", model, {})
    loaded, _ = load_model(tmp_path / "a")
    loaded(make_ids(2, 20)).square().mean().backward()
    assert any(p.grad is not None for p in loaded.parameters())


def test_a_model_is_named_by_its_file_or_its_folder(tmp_path, tiny_file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "stories"
    folder.mkdir(parents=True)
    with pytest.raises(TavuError, match=f"stories has no {MODEL}. Name a run folder"):
        find_model(folder)
    with pytest.raises(TavuError, match=r"There is no model 'nowhere'\. Train one with `tavu train`"):
        find_model("nowhere")
    (folder / MODEL).write_bytes(tiny_file)
    assert find_model("runs/stories") == find_model(f"runs/stories/{MODEL}")
    for wrong in ("nowhere", "Once upon a time " * 50, "a\0b"):
        with pytest.raises(TavuError, match=r"There is no model .* Runs here: runs/stories\."):
            load_model(wrong)


@pytest.mark.parametrize("num_bytes", [0, 1, 7, 8, 9, 50, 500, -500, -1])
def test_a_file_cut_short(tmp_path, tiny_file, num_bytes):
    assert "is not a whole model file" in refusal(tmp_path / "a", tiny_file[:num_bytes])


def test_files_that_are_something_else(tmp_path, tiny_file):
    path, (header, tensors) = tmp_path / "a", split(tiny_file)
    encoded = json.dumps(header).encode()
    for content in (
        struct.pack("<Q", 1 << 63) + tiny_file[8:],
        struct.pack("<Q", len(tiny_file)) + tiny_file[8:],
        struct.pack("<Q", len(encoded)) + encoded[:40] + b"\xff\xfe" + encoded[42:] + tensors,
        struct.pack("<Q", 4) + b"{{{{" + tensors,
        join(header | {"__metadata__": [1]}, tensors),
        join(header | {"__metadata__": {"tavu": 5}}, tensors),
        tiny_file + b"more",
        b"Once upon a time, there was a text file.\n" * 9,
        b"\x80\x04\x95" + b"\0" * 99,
    ):
        assert "is not a whole model file" in refusal(path, content)
    save_file({"weight": torch.zeros(2)}, path)
    assert refusal(path, path.read_bytes()) == " was not written by tavu: it has no tavu config. Train a model with `tavu train`."


def test_tensors_that_are_not_those_of_the_config(tmp_path, tiny_file):
    path, (header, tensors) = tmp_path / "a", split(tiny_file)
    names = [name for name in header if name != "__metadata__"]
    first, second = names[:2]
    assert "is not a whole model file" in refusal(path, join(header | {second: header[first]}, tensors))  # they overlap
    renamed = {("other" if name == first else name): entry for name, entry in header.items()}
    assert refusal(path, join(renamed, tensors)).startswith(": the weights do not fit its config")
    turned = {name: entry | {"shape": entry["shape"][::-1]} if "shape" in entry else entry for name, entry in header.items()}
    assert "has shape" in refusal(path, join(turned, tensors))
    whole_numbers = {name: entry | {"dtype": "I16"} if "dtype" in entry else entry for name, entry in header.items()}
    assert refusal(path, join(whole_numbers, tensors))
    extra = header | {"extra": {"dtype": "BF16", "shape": [1], "data_offsets": [len(tensors), len(tensors) + 2]}}
    assert "extra is unknown" in refusal(path, join(extra, tensors + b"\0\0"))


def test_words_longer_than_a_patch(tmp_path, make_model):
    model = make_model(dataclasses.replace(TINY, lexicon_words=4))
    model.lexicon.lengths[2] = 25
    save_model(tmp_path / "a", model, FACTS)
    assert "the words of its lexicon are too long or out of order" in refusal(tmp_path / "a", (tmp_path / "a").read_bytes())


def test_metadata_that_cannot_be_read(tmp_path, tiny_file):
    path, (header, tensors) = tmp_path / "a", split(tiny_file)
    for own in ("", "{", "[]", "3", "null", '"text"', "{}", '{"format": 1}', "[" * 100_000, "1" * 5000, '{"format": NaN}'):
        content = join(header | {"__metadata__": {"tavu": own}}, tensors)
        assert refusal(path, content) == ": its tavu config cannot be read. The file is damaged; copy or train it again."
    for changes in ({"format": "1"}, {"format": None}, {"format": [1]}, {"format": 0}, {"format": -1}, {"facts": []}, {"facts": "x"}, {"model": []}):
        assert "cannot be read" in refusal(path, with_metadata(tiny_file, **changes))
    expected = " was written by tavu format 3; this version reads up to 2. Upgrade with `pip install -U tavu`."
    assert refusal(path, with_metadata(tiny_file, format=3)) == expected
    assert "format 3" in refusal(path, with_metadata(tiny_file, format=3, model="something new"))


def test_a_flipped_bit_of_a_weight_is_told(tmp_path, tiny_file):
    dice = np.random.default_rng(0)
    (length,) = struct.unpack("<Q", tiny_file[:8])
    for at in dice.integers(8 + length, len(tiny_file), size=60).tolist():
        content = bytearray(tiny_file)
        content[at] ^= 1 << dice.integers(8)
        assert "its checksum is of other bytes" in refusal(tmp_path / "a", bytes(content))


def test_files_that_ask_for_too_much_are_refused_at_once_and_in_few_words(tmp_path, tiny_file):
    path, (header, tensors) = tmp_path / "a", split(tiny_file)
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [len(tensors), len(tensors)]}
    assert "its header has" in refusal(path, join(header | {f"empty {i}": empty for i in range(100_000)}, tensors))
    name = next(name for name in header if name != "__metadata__")
    for entry in (
        {"shape": [1] * 65 + header[name]["shape"]},
        {"shape": [-1]},
        {"shape": "x" * 10**6},
        {"dtype": "x" * 10**6},
        {"dtype": None},
        {"dtype": [1]},
    ):
        assert len(refusal(path, join(header | {name: header[name] | entry}, tensors))) < 600
    for changes in ({"patching": "x" * 10**6}, {"max_seq_len": "9" * 10**6}, {"x" * 10**6: 1}):
        assert len(refusal(path, with_config(tiny_file, **changes))) < 1200


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"GGUF\3\0\0\0", "GGUF"), (b"PK\3\4", "ZIP"), (b"\x80\2}q", "pickle"), (b"<!DOCTYPE html>", "web page"), (b"version https://git-lfs", "LFS")],
)
def test_files_of_other_programs_are_told_by_name(tmp_path, content, kind):
    assert kind in refusal(tmp_path / "a", content + bytes(100))


def test_a_large_file_of_another_program_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.write(b"GGUF")
        file.truncate(1 << 38)
    with pytest.raises(TavuError, match="GGUF"):
        load_model(tmp_path / "a")


def test_a_file_may_be_cut_or_copied_over_while_its_model_is_in_use(tmp_path, make_model):
    save_model(tmp_path / "a", make_model(WIDE), FACTS)
    model = tavu.load(tmp_path / "a")
    before = model.generate("Once", max_bytes=20)
    with (tmp_path / "a").open("r+b") as file:
        file.truncate(10)
    assert model.generate("Once", max_bytes=20) == before


def test_the_format_before_is_read(tmp_path, tiny_file):
    (tmp_path / "a").write_bytes(with_metadata(tiny_file, format=1))
    assert load_model(tmp_path / "a")[1] == FACTS


WIDE = WordPatchConfig((TransformerConfig(32, 1, 1, 64), MLPStackConfig(32, 1, 64)), 8, word_rows=2, prefix_rows=2, ngram_rows=2, lexicon_words=4)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_quantized_model_comes_back_as_the_numbers_say(tmp_path, make_model, make_ids, bits):
    model = make_model(WIDE)
    save_model(tmp_path / "a", model, FACTS, bits=bits)
    save_model(tmp_path / "whole", model, FACTS)
    loaded, facts = load_model(tmp_path / "a")
    assert facts == FACTS
    for name, tensor in loaded.state_dict().items():
        original = model.state_dict()[name]
        can_be_quantized = tensor_specs(model.config)[name].can_be_quantized
        expected = dequantize(*quantize(original, bits)) if can_be_quantized else original
        assert torch.equal(tensor, expected if can_be_quantized or not tensor.is_floating_point() else expected.bfloat16().float())
    ids = make_ids(2, 8)
    with torch.inference_mode():
        assert (loaded(ids) - model(ids)).abs().mean() < {8: 0.1, 4: 2.0}[bits]
    assert (tmp_path / "a").stat().st_size < (tmp_path / "whole").stat().st_size


def test_damaged_scales_get_a_sentence(tmp_path, make_model):
    save_model(tmp_path / "a", make_model(WIDE), FACTS, bits=4)
    header, tensors = split((tmp_path / "a").read_bytes())
    name = next(name for name in header if name.endswith(".scales"))
    turned = header | {name: header[name] | {"shape": header[name]["shape"][::-1] + [1]}}
    assert "has shape" in refusal(tmp_path / "b", join(turned, tensors))
    renamed = {("other" if key == name else key): entry for key, entry in header.items()}
    assert "other is unknown" in refusal(tmp_path / "b", join(renamed, tensors))


LEVELS = [dataclasses.asdict(level) for level in TINY.levels]


@pytest.mark.parametrize(
    "changes",
    [
        {"patching": "pairs"}, {"patching": ["words"]}, {"patching": None}, {"patching": "fixed"},
        {"levels": []}, {"levels": 3}, {"levels": [3, 4]}, {"levels": LEVELS[:1]}, {"max_seq_len": "long"}, {"max_seq_len": -1}, {"unheard_of": 1},
        {"max_seq_len": 10**9}, {"max_seq_len": 10**30}, {"word_rows": 1 << 30}, {"word_rows": 1 << 60}, {"prefix_rows": 1 << 29},
        {"ngram_orders": [3] * 10**5}, {"ngram_orders": [3, 5, 7]}, {"ngram_orders": [10**9]}, {"max_patch_size": 10**9},
        *({"levels": [LEVELS[0] | {key: n}, LEVELS[1]]} for key in ("dim", "num_layers", "mlp_dim", "num_heads") for n in (3, 200, 10**9, 10**30)),
    ],
    ids=lambda changes: str(changes)[:60],
)  # fmt: skip
def test_a_config_that_is_not_the_one_of_the_weights(tmp_path, tiny_file, changes):
    assert "damaged" in refusal(tmp_path / "a", with_config(tiny_file, **changes))


def test_random_damage_gives_a_model_or_a_sentence(tmp_path, make_model):
    random = np.random.default_rng(0)
    path = tmp_path / "a"
    save_model(path, make_model(FixedPatchConfig((LevelConfig(4, 1, 1, 4, 2), LevelConfig(4, 1, 1, 4)), 8)), {})
    whole = join(*split(path.read_bytes()))
    (length,) = struct.unpack("<Q", whole[:8])
    refused = 0
    for i in range(3000):
        content = bytearray(whole)
        where = random.integers(0, 8 + length if i % 10 else len(content), size=random.integers(1, 6))
        for at in where:
            content[at] = random.choice([random.integers(256), *b'0123456789"{}[],:\\etnu'])
        path.write_bytes(content[: random.integers(len(content))] if i % 50 == 0 else content)
        try:
            load_model(path)
        except TavuError:
            refused += 1
    assert 1500 < refused < 3000


def test_a_save_that_fails_leaves_the_old_file(tmp_path, tiny_file, make_model, files_of_at_most):
    path = tmp_path / MODEL
    path.write_bytes(tiny_file)
    with files_of_at_most(len(tiny_file) // 2), pytest.raises(TavuError, match="could not be written: File too large"):
        save_model(path, make_model(TINY), FACTS)
    with pytest.raises(TypeError):
        save_model(path, make_model(TINY), {"facts": object()})
    with pytest.raises(TavuError, match="could not be written"):
        save_model(tmp_path / "missing" / MODEL, make_model(TINY), FACTS)
    assert os.listdir(tmp_path) == [MODEL] and path.read_bytes() == tiny_file
