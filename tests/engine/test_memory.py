"""The memory of a text depends on its length, not on the context that a file claims."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from tavu.config import SamplingConfig
from tavu.engine import native
from tavu.generation.decoder import TorchWriter
from tavu.generation.writing import write
from tavu.model import attention, transformer
from tavu.model.words import model as word_model
from tavu.model_file import load_model, save_model
from tests.conftest import CONFIGS, TEXT

CODE = """
import re, sys, tavu
from pathlib import Path
from tavu.config import SamplingConfig
model = tavu.load(sys.argv[1], engine=sys.argv[2])
texts = model.write("Once", SamplingConfig(max_bytes=40), count=4)
assert "torch._dynamo" not in sys.modules  # torch's compiler, 80 MB and two seconds
print(len(texts), int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its own peak")
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_short_text_of_a_model_that_claims_a_huge_context_takes_little_memory(make_model, tmp_path, engine):
    if engine == "native" and not native.is_built():
        pytest.skip("the native engine was not built: no C compiler")
    model = make_model(CONFIGS["words"], noise=0.1)
    model.config = dataclasses.replace(model.config, max_seq_len=2**21)
    save_model(tmp_path / "a", model, {"kind": "text"})
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path / "a"), engine], capture_output=True, text=True, check=True)
    num_texts, megabytes = map(int, done.stdout.split())
    assert num_texts == 4 and megabytes < (100 if engine == "native" else 340)  # of PyTorch itself some 250


@pytest.mark.parametrize("name", ["words", "cross", "two levels"])
def test_texts_are_the_same_while_memory_grows(make_model, tmp_path, monkeypatch, name):
    save_model(tmp_path / "a", make_model(CONFIGS[name], noise=0.1), {})
    model, config = load_model(tmp_path / "a")[0], SamplingConfig(temperature=1.0, max_bytes=60)
    whole = [text.content for text in write(TorchWriter(model), TEXT[:20], config, count=3)]
    for module in (attention, word_model):
        monkeypatch.setattr(module, "FIRST_ROOM", 2)
    monkeypatch.setattr(transformer, "FIRST_ROTATIONS", 3)
    grown = load_model(tmp_path / "a")[0]
    assert [text.content for text in write(TorchWriter(grown), TEXT[:20], config, count=3)] == whole


def test_late_positions_are_rotated_as_with_a_whole_table(make_model, monkeypatch):
    whole = make_model(CONFIGS["words"]).global_model
    monkeypatch.setattr(transformer, "FIRST_ROTATIONS", 3)
    grown = make_model(CONFIGS["words"]).global_model
    for positions in (slice(2), slice(7, 8), torch.tensor([1, 30])):
        np.testing.assert_array_equal(grown.rotation(positions, torch.float32), whole.rotation(positions, torch.float32))
