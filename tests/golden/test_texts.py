"""The shipped model writes greedily what it wrote before, with weights of 16, 8 and 4 bits, in both engines and with the kernels of every processor.

Rounding differs between engines and processors, so a text holds everywhere only while the likeliest byte is clearly ahead of the second: each golden
text ends before the first byte whose lead is smaller than LEAD. The engines' logits differ by about 0.003 at most.

For a change that is meant to change texts, write them anew with `make golden`, and say in records/LOG.md why they changed.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import tavu
from tavu.config import SamplingConfig
from tavu.data.records import Request
from tavu.engine import native
from tavu.generation.decoder import Decoder, prompt_ids
from tavu.language_model import LanguageModel
from tavu.model.interface import Model
from tavu.model_file import load_model, save_model
from tavu.vocabulary import END

TEXTS = Path(__file__).with_name("texts.json")
LEAD = 0.05
LONGEST, SHORTEST = 400, 40
PROMPTS = ("Once upon a time", "The dog", "", "There was a little", "The sun was", "One day, a")
ORDER = Request(words=("fox", "boat"), features=("Dialogue",))
BITS = (16, 8, 4)


def model_file(bits: int, folder: Path) -> Path:
    """The shipped model, or its weights stored in another number of bits."""
    if bits == 8:
        return tavu.load("stories").path
    path = folder / f"stories-{bits}.safetensors"
    save_model(path, *load_model("stories"), bits=bits)
    return path


def clear_text(model: Model, prompt: bytes, longest: int = LONGEST) -> str:
    """The greedy text while each byte leads by LEAD, and ends in a whole character."""
    decoder, text = Decoder(model, prompt_ids(prompt)), bytearray()
    while len(text) < longest:
        (first, second), (id, _) = (values.tolist() for values in decoder.logits[0].topk(2))
        if first - second < LEAD or id == END:
            break
        text.append(id)
        decoder.feed(torch.tensor([id]))
    return text.decode(errors="ignore")


def greedy_texts(model: LanguageModel, golden: dict[str, str]) -> dict[str, str]:
    """What a model writes after each prompt, and to order, as far as the golden texts go."""
    texts = {}
    for name, text in golden.items():
        greedy = SamplingConfig(temperature=0, max_bytes=max(1, len(text.encode())))
        written = model.write_to_order(ORDER, greedy) if name == "to order" else model.write(name, greedy)
        texts[name] = written[0].text
    return texts


@pytest.fixture(scope="module", params=BITS, ids=lambda bits: f"{bits} bits")
def stored(request, tmp_path_factory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A model file, and the golden texts of it by prompt."""
    yield model_file(request.param, tmp_path_factory.mktemp("models")), json.loads(TEXTS.read_text())[str(request.param)]


@pytest.mark.skipif(not native.is_built(), reason="the native engine was not built: no C compiler")
@pytest.mark.usefixtures("kernels")
def test_the_native_engine_writes_the_golden_texts(stored):
    path, golden = stored
    assert greedy_texts(tavu.load(path, engine="native"), golden) == golden


def test_pytorch_writes_the_golden_texts(stored):
    path, golden = stored
    assert greedy_texts(tavu.load(path, engine="torch"), golden) == golden


@torch.inference_mode()
def write_texts() -> None:
    torch.set_num_threads(1)
    golden = {}
    with tempfile.TemporaryDirectory() as folder:
        for bits in BITS:
            model = tavu.load(model_file(bits, Path(folder)), engine="torch")
            prompts = {prompt: prompt.encode() for prompt in PROMPTS} | {"to order": model.read_before(ORDER)}
            texts = {name: clear_text(model.network, prompt) for name, prompt in prompts.items()}
            golden[bits] = {name: text for name, text in texts.items() if len(text) >= SHORTEST}
    TEXTS.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_texts()
