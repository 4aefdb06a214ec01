"""tavu_open on its own, as programs without Python call it: any bytes get an engine or a sentence."""

import ctypes
import dataclasses
import json
import shutil
import struct
import subprocess

import numpy as np
import pytest

from tavu.config import FixedPatchConfig, MLPStackConfig, SamplingConfig, TransformerConfig, WordPatchConfig
from tavu.engine.library import LIBRARY, library
from tavu.engine.native import NativeEngine, NativeSampling, is_built
from tavu.generation.writing import write
from tavu.model_file import save_model
from tavu.stored_model import UNFIT, open_model
from tests.conftest import CONFIGS
from tests.test_model_file import join, split

pytestmark = pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")


def refusal(content: bytes, room: int = 1000) -> str:
    """What tavu_open says of a file; empty when it opens."""
    memory, message = np.frombuffer(content, dtype=np.uint8).copy(), ctypes.create_string_buffer(room)
    engine = library().tavu_open(memory.ctypes.data, len(content), message, room)
    library().tavu_close(engine)
    assert bool(engine) != bool(message.value)
    return message.value.decode()


@pytest.fixture(scope="module", params=["words", "three levels"])
def parts(request, make_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "a"
    save_model(path, make_model(CONFIGS[request.param]), {"note": 'é "\\ \u2028 \U0001f43b', "deep": [[[{}]]], "val_bpb": float("nan")})
    return split(path.read_bytes())


def with_own(header, change):
    """The header with tavu's own part changed by a function."""
    own = json.loads(header["__metadata__"]["tavu"])
    change(own)
    return header | {"__metadata__": {"tavu": json.dumps(own)}}


def test_a_whole_file_opens_also_with_other_spaces_and_escapes(parts):
    header, tensors = parts
    for text in (json.dumps(header), json.dumps(header, indent=3), json.dumps(header, ensure_ascii=False, separators=(",", ":"))):
        assert refusal(struct.pack("<Q", len(text.encode())) + text.encode() + tensors) == ""


def test_what_is_no_whole_file_gets_a_sentence(parts):
    header, tensors = parts
    whole = join(header, tensors)
    first = next(name for name in header if name != "__metadata__")
    cases = {
        whole[:7]: "cut off, or no .safetensors",
        whole[:-1]: "longer than its tensors, or cut off",
        whole + b"\0": "longer than its tensors, or cut off",
        struct.pack("<Q", 1 << 63) + whole[8:]: "cut off, or no .safetensors",
        struct.pack("<Q", 100_000) + b"[" * 100_000: "no object of JSON",
        struct.pack("<Q", 2) + b"{}": "not written by tavu",
        join({**header, first: header[first] | {"data_offsets": [0, 1 << 62]}}, tensors): "not that of its bytes",
        join({**header, first: header[first] | {"data_offsets": [2, 0]}}, tensors): "does not tell where",
        join({**header, first: header[first] | {"shape": [1 << 32, 1 << 32]}}, tensors): "not that of its bytes",
        join({**header, first: header[first] | {"dtype": "F64"}}, tensors): "of a type that no model has",
        join({**header, "twice": header[first]}, tensors): "overlap",
    }
    for content, said in cases.items():
        assert said in refusal(content)
        assert len(refusal(content, room=20).encode()) == 19


def test_configs_are_checked_as_in_python(parts):
    header, tensors = parts
    is_words = "lexicon.bias" in header
    changes = [
        (lambda own: own.update(format=3), "format 3; this version reads up to 2"),
        (lambda own: own.pop("model"), "tavu config cannot be read"),
        (lambda own: own["model"].update(max_seq_len=2**21 + 1), "model.max_seq_len is 2097153"),
        (lambda own: own["model"].update(max_seq_len=48.0), "model.max_seq_len is missing, or no whole number"),
        (lambda own: own["model"].update(colour=3), "There is no setting model.colour"),
        (lambda own: own["model"].update(levels=own["model"]["levels"][:1]), "two"),
        (lambda own: own["model"]["levels"][0].pop("dim"), "model.levels.0.dim is missing"),
        (lambda own: own["model"]["levels"][0].update(num_heads=5), "a multiple of twice num_heads 5"),
        (lambda own: own["model"].update(patching="lines"), "model.patching"),
    ]
    if is_words:
        changes += [
            (lambda own: own["model"].update(word_rows=63), "model.word_rows is 63, expected a power of two"),
            (lambda own: own["model"].update(ngram_orders=[3, 3]), "different orders from 2 to 16"),
            (lambda own: own["model"].update(word_rows=128), "word_embedder.words.weight is BF16 [64, 16], expected BF16 [128, 16]"),
        ]
    else:
        changes += [
            (lambda own: own["model"].update(conv_encoder=True), "does not know conv_encoder"),
            (lambda own: own["model"]["levels"][0].update(patch_size=6), "a multiple of the next level's 4"),
            (lambda own: own["model"].update(cross_patch_bytes=5), "model.cross_patch_bytes is 5"),
        ]
    for change, said in changes:
        assert said in refusal(join(with_own(header, change), tensors))
    assert UNFIT in refusal(join(with_own(header, lambda own: own["model"].update(colour=3)), tensors))


@pytest.mark.parametrize(
    "config", [WordPatchConfig((TransformerConfig(4, 1, 1, 4), MLPStackConfig(4, 1, 4))), FixedPatchConfig(CONFIGS["two levels"].levels)]
)
def test_settings_that_a_file_leaves_out_have_the_values_that_python_gives_them(make_model, tmp_path, config):
    save_model(tmp_path / "a", make_model(config), {})
    header, tensors = split((tmp_path / "a").read_bytes())

    def keep_required(own):
        own["model"] = {name: own["model"][name] for name in ("patching", "levels")}

    assert refusal(join(with_own(header, keep_required), tensors)) == ""


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_weights_at_odd_addresses_write_the_same(make_model, tmp_path, bits):
    levels = (TransformerConfig(64, 1, 2, 64), MLPStackConfig(32, 1, 32))
    save_model(tmp_path / "a", make_model(dataclasses.replace(CONFIGS["words"], levels=levels)), {}, bits=bits)
    stored, logits = open_model(tmp_path / "a"), []
    for offset in range(4):
        moved = np.frombuffer(bytes(offset) + stored.content.tobytes(), dtype=np.uint8)[offset:]
        engine = NativeEngine(dataclasses.replace(stored, content=moved))
        sampling = NativeSampling(SamplingConfig(temperature=0))
        logits.append(engine.step([engine.read(b"Once upon a time")], [sampling], np.zeros((1, 8)), want_logits=True)[1])
    assert all(np.array_equal(logits[0], other) for other in logits[1:])


PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include "engine.h"

int main(int count, char **arguments) {
    static unsigned char bytes[1 << 20];
    char message[200];
    FILE *file = fopen(arguments[count - 1], "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    TavuEngine *engine = tavu_open(bytes, size, message, sizeof message);
    if (!engine) return puts(message), 1;
    Row *row = tavu_row(engine);
    int32_t prompt[] = {256, 'O', 'n', 'c', 'e'}, out[20];
    double uniforms[20] = {0};
    Sampling greedy = {.top_p = 1, .top_k = 257};
    const Sampling *sampling = &greedy;
    if (!row || tavu_read(engine, row, prompt, 5, 0, 1.0f)) return 1;
    if (tavu_write(engine, &row, 1, 20, &sampling, uniforms, out, NULL)) return 1;
    for (int i = 0; i < 20 && out[i] < 256; i++) putchar(out[i]);
    tavu_free_row(row);
    tavu_close(engine);
    return 0;
}
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@pytest.mark.parametrize("name", ["words", "three levels"])
def test_a_program_in_c_writes_what_python_writes(make_model, tmp_path, name):
    save_model(tmp_path / "model", make_model(CONFIGS[name], noise=0.1), {})
    (tmp_path / "program.c").write_text(PROGRAM)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{LIBRARY.parent}"]
    subprocess.run(["gcc", *flags, tmp_path / "program.c", LIBRARY, "-o", tmp_path / "program"], check=True)
    (written,) = write(NativeEngine(open_model(tmp_path / "model")), b"Once", SamplingConfig(temperature=0, valid_utf8=False, max_bytes=20))
    done = subprocess.run([tmp_path / "program", tmp_path / "model"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, written.content)
    done = subprocess.run([tmp_path / "program", tmp_path / "program.c"], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"it is cut off, or no .safetensors at all. Copy or train it again.\n")
