"""A quantized file is smaller, works like any model file, and never overwrites the original."""

import math

import numpy as np
import pytest

import tavu
from tavu.compression.quantize import quantize_file
from tavu.config import MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import bits_per_byte
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.model_file import load_model, save_model
from tests.conftest import TEXT, noisy_model

WIDE = WordPatchConfig((TransformerConfig(32, 1, 1, 64), MLPStackConfig(32, 1, 64)), 64, word_rows=256, prefix_rows=256, ngram_rows=256)


@pytest.fixture
def file(tmp_path):
    save_model(tmp_path / "whole.safetensors", noisy_model(WIDE, noise=0.05), {"kind": "text", "val_bpb": 1.5})
    return tmp_path / "whole.safetensors"


@pytest.mark.parametrize(("bits", "share"), [(8, 0.6), (4, 0.4)])
def test_a_quantized_file_is_a_model_like_any_other(file, tmp_path, bits, share):
    done = quantize_file(file, tmp_path / "new" / "small", bits, [TEXT])
    assert (done.file_bytes_before, done.file_bytes) == (file.stat().st_size, done.out.stat().st_size)
    assert done.file_bytes < share * done.file_bytes_before
    measured = bits_per_byte(TorchScorer(load_model(done.out)[0]), [np.frombuffer(TEXT, dtype=np.uint8)]).bits_per_byte
    assert measured == done.after.bits_per_byte and math.isclose(measured, done.before.bits_per_byte, rel_tol=0.01 if bits == 8 else 0.2)
    loaded = tavu.load(done.out)
    assert loaded.facts == {"kind": "text", "val_bpb": 1.5, "weight_bits": bits} and isinstance(loaded.generate("A", max_bytes=20), str)


def test_without_text_nothing_is_measured(file, tmp_path):
    done = quantize_file(file, tmp_path / "small", 8)
    assert done.before is None and done.after is None


def test_overwriting_the_model_is_refused(file, tmp_path):
    before = file.read_bytes()
    with pytest.raises(TavuError, match="is the model itself, which would be overwritten"):
        quantize_file(file, file, 8)
    with pytest.raises(TavuError, match="is a folder, expected the name of a new file, e.g. .*whole-8bit.safetensors"):
        quantize_file(file, tmp_path, 8)
    with pytest.raises(TavuError, match="bits is 7, expected 8 or 4"):
        quantize_file(file, tmp_path / "small", 7)
    assert file.read_bytes() == before and [f.name for f in tmp_path.iterdir()] == [file.name]
