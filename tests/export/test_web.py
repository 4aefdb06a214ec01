"""The engine as WebAssembly, and tavu.js, which lets JavaScript write with it: in Node here, in browsers in test_page.py."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tavu.config import INSIST, SamplingConfig
from tavu.data.records import Request
from tavu.engine.native import NativeEngine, is_built
from tavu.export.web import ENGINE, export_web
from tavu.generation import reads
from tavu.generation.writing import write
from tavu.model_file import save_model
from tavu.stored_model import open_model
from tests.conftest import CONFIGS
from tests.docs.pages import ROOT

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
PROGRAM = """
import { readFile } from "node:fs/promises";
import { load } from "./tavu.js";
const model = await load(await readFile("model.safetensors"), await readFile("tavu.wasm"));
async function write(prompt, options) {
  const letters = [], text = model.letters(prompt, options);
  for (;;) {
    const { value, done } = await text.next();
    if (done) return { why: value, text: letters.map((letter) => letter.character).join(""), bits: letters.map((letter) => letter.bits) };
    letters.push(...value);
  }
}
const told = [];
for (const [prompt, options] of JSON.parse(process.argv[2])) told.push(await write(prompt, options).catch((error) => ({ error: error.message })));
console.log(JSON.stringify(told));
"""


def writes(folder: Path, *tasks: tuple[str, dict]) -> list[dict]:
    """What tavu.js in a folder writes for prompts with options: the text, why it ended, and the bits of each character; or an error."""
    (folder / "write.mjs").write_text(PROGRAM)
    done = subprocess.run(["node", "write.mjs", json.dumps(tasks)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    return export_web("stories", tmp_path_factory.mktemp("web") / "stories").out


def native(prompt: bytes, config: SamplingConfig):
    return write(NativeEngine(open_model("stories")), prompt, config)[0]


@pytest.mark.slow  # .ci/run runs it
def test_the_engine_is_what_its_sources_make(tmp_path):
    """If this fails after a change of tavu/engine/: run `make wasm`, and commit what it makes."""
    pytest.importorskip("ziglang", reason="ziglang is not installed")
    made, folder = tmp_path / "tavu.wasm", Path(sys.executable).parent
    subprocess.run(["make", "wasm", f"VENV={folder}", f"WASM={made}"], cwd=ROOT, check=True, capture_output=True)
    assert made.read_bytes() == ENGINE.read_bytes(), "run `make wasm`"


def test_the_engine_is_small_and_needs_nothing():
    content = ENGINE.read_bytes()
    assert content.startswith(b"\0asm") and len(content) < 300_000
    assert b"wasi" not in content and str(ROOT).encode() not in content


@needs_node
def test_it_writes_the_golden_texts(golden, tmp_path):
    folder = export_web(golden.path, tmp_path / "web").out
    told = writes(folder, *((prompt, {"temperature": 0, "maxBytes": max(1, len(text.encode()))}) for prompt, text in golden.texts.items()))
    assert [one["text"] for one in told] == [*golden.texts.values()]


@needs_node
@pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")
def test_options_mean_what_they_mean_in_python(stories):
    once = b"Once upon a time"
    order = Request(("oak", "key"), ("Dialogue",), "Tom finds a key.", "It was old.")
    request = {"words": order.words, "features": order.features, "summary": order.summary, "sentence": order.sentence}
    cases = [
        (once, {"maxBytes": 200}, once, SamplingConfig(max_bytes=200)),
        (once, {"seed": 7, "temperature": 1.1, "maxBytes": 200}, once, SamplingConfig(1.1, seed=7, max_bytes=200)),
        (once, {"topK": 9, "topP": 0.8, "minP": 0.05}, once, SamplingConfig(top_k=9, top_p=0.8, min_p=0.05)),
        (once, {"repetitionPenalty": 1.5, "seed": 1 << 40}, once, SamplingConfig(repetition_penalty=1.5, seed=1 << 40)),
        (once, {"stop": ["the end", " and"]}, once, SamplingConfig(stop=("the end", " and"))),
        (b"The", request, reads.of_request(order) + b"The", SamplingConfig(insist=INSIST)),
        (b"", {**request, "insist": 0, "seed": 2}, reads.of_request(order), SamplingConfig(insist=0, seed=2)),
    ]
    told = writes(stories, *((prompt.decode(), options) for prompt, options, _, _ in cases))
    for (_, _, read, config), one in zip(cases, told, strict=True):
        expected = native(read, config)
        assert (one["text"], one["why"]) == (expected.text, expected.stopped), config


@needs_node
@pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")
def test_bits_are_those_of_scoring(stories):
    (told,) = writes(stories, ("Once upon a time", {"maxBytes": 300}))
    content = told["text"].encode()
    ids = np.array([256, *b"Once upon a time", *content], dtype=np.int32)
    bits, _, _ = NativeEngine(open_model("stories")).score_one(ids, 17)
    np.testing.assert_allclose(told["bits"], bits, atol=2e-3)


@needs_node
@pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")
@pytest.mark.parametrize("records", [None, "chat", "prompts"])
def test_prompts_are_read_as_tavu_gives_them(make_model, tmp_path, records):
    save_model(tmp_path / "a", make_model(CONFIGS["words"]), {"records": records, "val_bpb": float("nan")})
    folder = export_web(tmp_path / "a", tmp_path / "web").out
    prompts = ("", " Hyvää päivää! ")
    for prompt, one in zip(prompts, writes(folder, *((prompt, {"temperature": 0, "maxBytes": 99}) for prompt in prompts)), strict=True):
        expected = write(NativeEngine(open_model(tmp_path / "a")), reads.of_prompt(prompt.encode(), records), SamplingConfig(0, max_bytes=99))[0]
        assert one["text"] == expected.text


@needs_node
def test_options_out_of_range_get_a_sentence(stories, make_model, tmp_path):
    cases = {
        "temperature is -1, expected 0 to Infinity.": {"temperature": -1},
        "seed is -1, expected 0 to 2 ** 64 - 1.": {"seed": -1},
        "stop has an empty string or a NUL, expected text in each.": {"stop": ["a", ""]},
        "insist is 11, expected 0 to 10.": {"insist": 11},
    }
    assert [one["error"] for one in writes(stories, *(("Once", options) for options in cases.values()))] == [*cases]
    save_model(tmp_path / "a", make_model(CONFIGS["two levels"]), {})
    (one,) = writes(export_web(tmp_path / "a", tmp_path / "web").out, ("", {"words": ["oak"]}))
    assert one["error"] == "This model was not fine-tuned on story requests: give it a beginning instead."


@needs_node
def test_a_file_that_the_engine_cannot_open_gets_its_sentence(stories, tmp_path):
    folder = shutil.copytree(stories, tmp_path / "web")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:10_000])
    (folder / "write.mjs").write_text(PROGRAM)
    failed = subprocess.run(["node", "write.mjs", "[]"], cwd=folder, capture_output=True, text=True)
    assert failed.returncode == 1 and "Error: it is longer than its tensors, or cut off." in failed.stderr


@pytest.mark.slow
@needs_node
def test_five_hundred_greedy_bytes_are_those_of_the_native_engine(golden, tmp_path):
    folder = export_web(golden.path, tmp_path / "web").out
    for prompt, one in zip(golden.texts, writes(folder, *((prompt, {"temperature": 0, "maxBytes": 500}) for prompt in golden.texts)), strict=True):
        assert one["text"] == write(NativeEngine(open_model(golden.path)), prompt.encode(), SamplingConfig(0, max_bytes=500))[0].text
