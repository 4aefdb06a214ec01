"""The C sources: without a warning in gcc and clang, formatted, and with the constants of the PyTorch model."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tavu
from tavu import config, stored_model, vocabulary
from tavu.generation import sampling
from tavu.model.words import hashing, lexicon, pointer, read, rows

ENGINE = Path(tavu.__file__).parent / "engine"
SOURCES = sorted(ENGINE.glob("*.c"))
CONSTANTS = {
    "FORMAT": stored_model.FORMAT,
    "MAX_HEADER_BYTES": stored_model.MAX_HEADER_BYTES,
    "MAX_DIMENSIONS": stored_model.MAX_DIMENSIONS,
    "GROUP": stored_model.GROUP,
    **{name: getattr(config.model, name) for name in ("MAX_DIM", "MAX_LAYERS", "MAX_SEQ_LEN", "MAX_ROWS", "MAX_WORDS")},
    "MARK": vocabulary.MARK_ID,
    "END": vocabulary.END,
    "NUM_IDS": vocabulary.NUM_IDS,
    "BEGIN": read.BEGIN,
    **{name: getattr(hashing, name) for name in ("HASH_MULTIPLIER", "HASH_MIX")},
    **{name: getattr(read, name) for name in ("PAIR_MULTIPLIER", "FINGERPRINT_SHIFT", "NUM_FINGERPRINTS")},
    **{name: getattr(lexicon, name) for name in ("PROB_FLOOR", "PROB_UNLIKELY", "MAX_NEXT_BYTES")},
    **{name: getattr(rows, name) for name in ("PHRASE_SALT", "NUM_HINTS")},
    "POINTER_SHARPNESS": pointer.POINTER_SHARPNESS,
    "GREEDY_BELOW": sampling.GREEDY_BELOW,
    "REPEAT_BYTES": sampling.REPEAT_BYTES,
}


def test_constants_are_those_of_the_pytorch_model():
    """Those of layers, which have no names there, show themselves in the logits (test_native.py)."""
    defined = dict(re.findall(r"#define (\w+) ([\w.+-]+)", (ENGINE / "constants.h").read_text()))
    of_layers = {"NORM_EPSILON", "ROTARY_BASE", "LOGIT_CAP"}
    values = {name: float(value) if re.search(r"[.e]", value) else int(value.removesuffix("u"), 0) for name, value in defined.items()}
    assert {name: value for name, value in values.items() if name not in of_layers} == CONSTANTS


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_compiler_warns(compiler):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fsyntax-only"]
    done = subprocess.run([compiler, *flags, *SOURCES], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_they_are_formatted():
    if not shutil.which("clang-format"):
        pytest.skip("clang-format is not installed")
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *SOURCES, *ENGINE.glob("*.h")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
