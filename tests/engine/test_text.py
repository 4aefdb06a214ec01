"""tavu.h: a text from C alone is the text that Python draws, byte for byte: random numbers, UTF-8, strings to stop at and all."""

import ctypes
import re
from dataclasses import replace

import numpy as np
import pytest

from tavu.config import FixedPatchConfig, SamplingConfig
from tavu.data.records import Request
from tavu.engine.library import library
from tavu.engine.native import NativeEngine, is_built
from tavu.generation.reads import of_request
from tavu.generation.writing import write
from tavu.model_file import save_model
from tavu.stored_model import open_model
from tests.conftest import CONFIGS, TEXT
from tests.engine.test_sources import ENGINE

pytestmark = pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")
WHY = {1: "end", 2: "length", 3: "stop"}


class Options(ctypes.Structure):
    """TavuOptions of tavu.h."""

    _fields_ = [
        *((name, ctypes.c_double) for name in ("temperature", "top_p", "min_p", "repetition_penalty", "insist")),
        ("seed", ctypes.c_uint64),
        ("top_k", ctypes.c_uint32),
        ("max_bytes", ctypes.c_uint32),
        ("stop", ctypes.POINTER(ctypes.c_char_p)),
    ]


def functions():
    """The compiled engine, with the types of tavu.h."""
    engine = library()
    engine.tavu_read_text.restype = ctypes.c_void_p
    engine.tavu_read_text.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    engine.tavu_write_text.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32]
    engine.tavu_why_ended.argtypes = engine.tavu_free_text.argtypes = [ctypes.c_void_p]
    engine.tavu_free_text.restype = None
    return engine


def written_by_c(stored, prompt: bytes, config: SamplingConfig, room: int = 16):
    """The text, why it ended, and what each byte cost, by tavu.h alone."""
    tavu, content = functions(), stored.content
    engine = tavu.tavu_open(content.ctypes.data, len(content), ctypes.create_string_buffer(1000), 1000)
    stop = (ctypes.c_char_p * (len(config.stop) + 1))(*(text.encode() for text in config.stop), None)
    sampling = (config.temperature, config.top_p or 1, config.min_p or 0, config.repetition_penalty, config.insist)
    options = Options(*sampling, config.seed, config.top_k or 0, config.max_bytes, stop)
    text = tavu.tavu_read_text(engine, prompt, len(prompt), ctypes.byref(options))
    piece, cost, content, bits = np.empty(room, dtype=np.uint8), np.empty(room, dtype=np.float32), b"", []
    while num := tavu.tavu_write_text(text, piece.ctypes.data, cost.ctypes.data, room):
        content += piece[:num].tobytes()
        bits += cost[:num].tolist()
    why = WHY[tavu.tavu_why_ended(text)]
    tavu.tavu_free_text(text)
    tavu.tavu_close(engine)
    return content, why, bits


@pytest.fixture(scope="module", params=["words", "cross", "raw bytes"])
def stored(request, make_model, tmp_path_factory):
    """A model of text with all its bytes, one that knows its bytes, and one of raw bytes."""
    facts = {"words": {}, "cross": {"used_bytes": sorted({*TEXT})}, "raw bytes": {"kind": "bytes", "used_bytes": [1, 2, 300]}}[request.param]
    path = tmp_path_factory.mktemp("models") / "a.safetensors"
    save_model(path, make_model(CONFIGS["words" if request.param == "words" else "cross"]), facts)
    return open_model(path)


SAMPLINGS = {
    "plain": SamplingConfig(1.0),
    "greedy": SamplingConfig(0),
    "large seed": SamplingConfig(1.2, seed=(1 << 63) + 12345),
    "filtered": SamplingConfig(0.9, top_k=40, top_p=0.95, min_p=0.01, seed=7),
    "penalty": SamplingConfig(0.3, repetition_penalty=1.3, seed=1 << 32),
    "stop": SamplingConfig(2.0, stop=("e", "ab", "th"), seed=2),
    "long stop": SamplingConfig(1.5, stop=("eeee", "never to be found", "eee "), seed=3),
}


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("prompt", [b"", TEXT, TEXT[:96], b"\xe6\x97", b"a\xf0\x9f"], ids=["empty", "long", "umlaut", "part", "longer part"])
def test_the_text_is_that_of_python(stored, sampling, prompt):
    for length, room in ((1, 1), (3, 16), (150, 16), (151, 5)):
        config = replace(SAMPLINGS[sampling], max_bytes=length, valid_utf8=stored.facts.get("kind") != "bytes", used_bytes=stored.used_bytes)
        expected = write(NativeEngine(stored), prompt, config)[0]
        content, why, bits = written_by_c(stored, prompt, config, room)
        assert (content, why) == (expected.content, expected.stopped)
        assert len(bits) == len(content) and all(cost > -1e-3 for cost in bits)


def test_the_bits_are_those_of_scoring():
    stored = open_model("stories")
    prompt = of_request(Request(words=("oak",))) + b"Once"
    content, why, bits = written_by_c(stored, prompt, SamplingConfig(0.8, max_bytes=300, seed=5))
    ids = np.array([256, *prompt, *content], dtype=np.int32)
    expected, _, _ = NativeEngine(stored).score_one(ids, len(prompt) + 1)
    assert why in ("length", "end") and len(content) > 200
    np.testing.assert_allclose(bits, expected, atol=2e-3)


def test_the_defaults_are_those_of_python():
    (defaults,) = re.findall(r"#define TAVU_DEFAULT_OPTIONS[^{]*{([^}]*)}", (ENGINE / "tavu.h").read_text())
    given = dict(re.findall(r"\.(\w+) = ([\d.]+)", defaults))
    config = SamplingConfig()
    assert {name: float(value) for name, value in given.items()} == {
        "temperature": config.temperature,
        "top_p": 1,
        "repetition_penalty": config.repetition_penalty,
        "insist": config.insist,
        "max_bytes": config.max_bytes,
    }


def test_a_text_of_a_model_that_diverged_says_so(make_model, tmp_path):
    model = make_model(FixedPatchConfig(CONFIGS["two levels"].levels, 48))
    next(model.parameters()).data.fill_(float("nan"))
    save_model(tmp_path / "a", model, {})
    tavu, content = functions(), open_model(tmp_path / "a").content
    engine = tavu.tavu_open(content.ctypes.data, len(content), None, 0)
    text = tavu.tavu_read_text(engine, b"Once", 4, ctypes.byref(Options(0.8, 1, 0, 1, 1, 0, 0, 99, None)))
    assert tavu.tavu_write_text(text, np.empty(8, dtype=np.uint8).ctypes.data, None, 8) == -1
    tavu.tavu_free_text(text)
    tavu.tavu_close(engine)
