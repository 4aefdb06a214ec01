"""tavu export --to c: a program that compiles everywhere without a warning, and writes what tavu writes."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tavu.config import SamplingConfig
from tavu.engine.native import NativeEngine, is_built
from tavu.export.c import export_c
from tavu.generation import reads
from tavu.generation.writing import write
from tavu.model_file import save_model
from tavu.stored_model import open_model
from tests.conftest import CONFIGS

STRICT = ("-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror")
TARGETS = ("aarch64-linux-musl", "x86_64-windows-gnu", "x86_64-linux-musl")
compilers = pytest.mark.parametrize("compiler", ["gcc", "clang"])


@pytest.fixture(scope="module")
def folder(golden, tmp_path_factory):
    return export_c(golden.path, tmp_path_factory.mktemp("c") / "story").out


def build(folder, compiler: str) -> None:
    if not (shutil.which(compiler) and shutil.which("make")):
        pytest.skip(f"{compiler} or make is not installed")
    flags = "CFLAGS=-O2 -Werror -fno-math-errno -fno-trapping-math -fno-signed-zeros"
    built = subprocess.run(["make", "-B", f"CC={compiler}", flags], cwd=folder, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")


def tell(folder, *arguments: object) -> str:
    return subprocess.run(["./story", *map(str, arguments)], cwd=folder, capture_output=True, check=True).stdout.decode()


@compilers
def test_the_program_writes_the_golden_texts(folder, golden, compiler):
    build(folder, compiler)
    for prompt, text in golden.texts.items():
        assert tell(folder, prompt, 0).startswith(prompt + text), prompt


@pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")
def test_the_same_seed_gives_the_same_text(tmp_path):
    folder = export_c("stories", tmp_path / "story").out
    build(folder, "gcc")
    for seed in (0, 7):
        expected = write(NativeEngine(open_model("stories")), b"Once upon a time", SamplingConfig(seed=seed))[0].text
        assert tell(folder, "Once upon a time", 0.8, seed) == f"Once upon a time{expected}\n"


@pytest.mark.parametrize("records", ["chat", "prompts"])
@pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")
def test_a_model_of_records_reads_prompts_as_tavu_gives_them(make_model, tmp_path, records):
    save_model(tmp_path / "a", make_model(CONFIGS["words"]), {"records": records})
    stored, folder = open_model(tmp_path / "a"), export_c(tmp_path / "a", tmp_path / "story").out
    build(folder, "gcc")
    for prompt in (b"", b"Hello there."):
        read = reads.of_prompt(prompt, records)
        text = write(NativeEngine(stored), read, SamplingConfig(0, max_bytes=2048))[0].content
        assert tell(folder, prompt.decode(), 0).encode() == text + b"\n"


def test_what_the_program_cannot_read_gets_a_sentence(tmp_path):
    folder = export_c("stories", tmp_path / "story").out
    build(folder, "gcc")
    model = folder / "model.safetensors"
    model.write_bytes(model.read_bytes()[:100_000])
    failed = subprocess.run(["./story"], cwd=folder, capture_output=True, text=True)
    assert failed.returncode == 1 and failed.stderr.startswith("story: model.safetensors: it is ") and failed.stdout == ""
    model.unlink()
    failed = subprocess.run(["./story"], cwd=folder, capture_output=True, text=True)
    assert (failed.returncode, failed.stderr) == (1, "story: model.safetensors: it cannot be read. It must lie in the working folder.\n")


@compilers
def test_one_file_has_no_names_but_its_own(tmp_path, compiler):
    folder = export_c("stories", tmp_path / "story").out
    if not (shutil.which(compiler) and shutil.which("nm")):
        pytest.skip(f"{compiler} or nm is not installed")
    subprocess.run([compiler, *STRICT, "-O1", "-c", "tavu.c"], cwd=folder, check=True)
    symbols = subprocess.run(["nm", "--extern-only", "--defined-only", "tavu.o"], cwd=folder, capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in symbols.splitlines()}
    assert "tavu_write_text" in names and all(name.startswith("tavu_") for name in names)


def test_the_program_is_short_and_takes_only_the_standard_library(tmp_path):
    folder = export_c("stories", tmp_path / "story").out
    assert len((folder / "main.c").read_text().splitlines()) <= 60
    included = set(re.findall(r"#include <([^>]+)>", (folder / "tavu.c").read_text()))
    assert included <= {
        "math.h",
        "stdarg.h",
        "stddef.h",
        "stdint.h",
        "stdio.h",
        "stdlib.h",
        "string.h",
        "immintrin.h",
        "arm_neon.h",
        "wasm_simd128.h",
        "sys/auxv.h",
    }
    assert sorted(path.name for path in folder.iterdir()) == ["Makefile", "main.c", "model.safetensors", "tavu.c", "tavu.h"]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_other_processors_and_systems(tmp_path, target):
    pytest.importorskip("ziglang", reason="ziglang is not installed")
    folder = export_c("stories", tmp_path / "story").out
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, *STRICT, "-O2", "-o", "story", "main.c", "tavu.c", "-lm"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")


@pytest.mark.slow
@compilers
def test_five_hundred_greedy_bytes_are_those_of_the_native_engine(folder, golden, compiler):
    build(folder, compiler)
    for prompt in golden.texts:
        text = write(NativeEngine(open_model(golden.path)), prompt.encode(), SamplingConfig(0, max_bytes=500))[0].content
        written = tell(folder, prompt, 0).encode().removeprefix(prompt.encode())
        assert np.array_equal(np.frombuffer(written[: len(text)], np.uint8), np.frombuffer(text, np.uint8)), prompt
