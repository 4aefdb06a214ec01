"""Models whose greedy texts are known, for every format to write them: golden texts, which end before any byte that rounding could change."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.golden.test_files import EXPECTED
from tests.golden.test_texts import TEXTS, model_file

FORMAT = max(EXPECTED)


@dataclass(frozen=True)
class Golden:
    path: Path
    texts: dict[str, str]
    """Greedy texts by prompt."""


@pytest.fixture(scope="session", params=["stories, 8 bits", "stories, 4 bits", "fixed-2-levels-8-bits", "fixed-3-levels", "words-all-parts"])
def golden(request, tmp_path_factory) -> Golden:
    if request.param.startswith("stories"):
        bits = request.param.split()[1]
        path, texts = model_file(int(bits), tmp_path_factory.mktemp("models")), json.loads(TEXTS.read_text(encoding="utf-8"))[bits]
    else:
        path, texts = FORMAT / f"{request.param}.safetensors", EXPECTED[FORMAT][request.param]["texts"]
    return Golden(path, {prompt: text for prompt, text in texts.items() if text and prompt != "to order"})
