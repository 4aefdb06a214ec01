"""Files of every format are read for ever: each in format-*/ opens, writes and costs what it did when it was written; its run goes on.

What a file is to write and to cost stands in expected.json beside it; make_files.py wrote them. Their texts end where those of test_texts.py do.
"""

import json
import shutil
from pathlib import Path

import pytest

import tavu
from tavu.config import SamplingConfig
from tavu.data.records import Request
from tavu.engine import native
from tavu.model_file import load_model
from tavu.reports.report import write_report
from tavu.run_recipes import old_recipe
from tavu.runs import run
from tavu.training.events import Finished

HERE = Path(__file__).parent
SEPARATOR = "\n<|endoftext|>\n"
PROMPTS = ("In a small village", "", "Bumble ")
ORDER = Request(words=("kitchen", "village"))
RUN_STEPS, MORE_STEPS = 12, 4
EXPECTED = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("format-*/expected.json"))}
FILES = [(folder / f"{name}.safetensors", known) for folder, files in EXPECTED.items() for name, known in files.items() if name != "run"]
RUNS = [(folder / "run", files["run"]) for folder, files in EXPECTED.items() if "run" in files]
CLOSE = 1e-5


def called(value: object) -> str | None:
    return f"{value.parent.name} {value.stem}" if isinstance(value, Path) else ""


def cost(model: Path) -> float:
    """Bits per byte of a tale."""
    tale, _ = (HERE / "tales.txt").read_text(encoding="utf-8").split(SEPARATOR, 1)
    return tavu.load(model).bits_per_byte(tale).bits_per_byte


def resumed(folder: Path) -> float:
    """What validation costs after a few more steps of a run, whose text lies elsewhere now."""
    recipe = old_recipe(folder, sources=[str(HERE / "tales.txt")], steps=RUN_STEPS + MORE_STEPS)
    *_, finished = run(recipe, folder, resume=True)
    assert isinstance(finished, Finished) and finished.step == RUN_STEPS + MORE_STEPS
    return finished.validation.bits_per_byte


def assert_writes(model: tavu.LanguageModel, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        greedy = SamplingConfig(temperature=0, max_bytes=max(1, len(text.encode())))
        written = model.write_to_order(ORDER, greedy) if name == "to order" else model.write(name, greedy)
        assert text in ("", written[0].text)


def test_every_file_is_expected():
    for folder, files in EXPECTED.items():
        assert {path.stem for path in folder.glob("*.safetensors")} | ({"run"} if (folder / "run").exists() else set()) == files.keys()
        assert any(known["texts"].values() for known in files.values())


@pytest.mark.parametrize(("path", "known"), FILES + RUNS, ids=called)
def test_a_file_costs_and_writes_in_pytorch_what_it_did(path, known):
    assert cost(path) == pytest.approx(known["bits_per_byte"], rel=CLOSE)
    assert_writes(tavu.load(path, engine="torch"), known["texts"])


@pytest.mark.skipif(not native.is_built(), reason="the native engine was not built: no C compiler")
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("path", "known"), [(path, known) for path, known in FILES + RUNS if "convolutions" not in path.stem], ids=called)
def test_a_file_writes_in_the_native_engine_what_it_did(path, known):
    assert_writes(tavu.load(path, engine="native"), known["texts"])


@pytest.mark.parametrize(("path", "known"), RUNS, ids=called)
def test_a_run_is_reported_and_goes_on(path, known, tmp_path):
    folder = Path(shutil.copytree(path, tmp_path / "run"))
    write_report(folder)
    assert (folder / "report.html").exists() and "damaged" not in (folder / "report.html").read_text(encoding="utf-8")
    assert resumed(folder) == pytest.approx(known["resumed"], rel=CLOSE)
    assert load_model(folder)[1]["step"] == RUN_STEPS + MORE_STEPS
