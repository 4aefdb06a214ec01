"""Laws of run folders: one process at a time, the text it began on, and nothing lost where something around it is damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

import tavu
from tavu.data.tales import tell_many
from tavu.model_file import load_model
from tavu.reports.report import write_report
from tavu.run_recipes import new_recipe, old_recipe
from tavu.runs import run
from tavu.training.events import Finished, Note, Started
from tavu.training.run_lock import locked
from tavu.training.state import load_counters
from tests.training.conftest import TINY

SETTINGS = [setting for setting in TINY if not setting.startswith("train.steps")]


@pytest.fixture
def copy_of_run(run_folder, tmp_path) -> Path:
    """A finished run of 20 steps that may be changed."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def resume(folder: Path, steps: int, sources=(), settings=()) -> list:
    return list(run(old_recipe(folder, sources=sources, steps=steps, settings=settings), folder, resume=True))


def python(script: str, here: Path, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", script], cwd=here, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, **options)


def change_state(folder: Path, **changes) -> None:
    """Rewrite the counters in a training state."""
    path = folder / "state/training.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["tavu_training"] = json.dumps(json.loads(header["__metadata__"]["tavu_training"]) | changes)
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data[8 + length :])


def test_a_folder_is_trained_in_by_one_process_at_a_time(copy_of_run):
    with locked(copy_of_run), pytest.raises(tavu.TavuError, match=r"run is in use: another process is training in it\. Wait until it ends"):
        resume(copy_of_run, 30)
    assert resume(copy_of_run, 22)[-1].step == 22


def test_a_lock_ends_with_its_process_however_that_ends(copy_of_run):
    hold = """
import pathlib, time
from tavu.training.run_lock import locked
with locked(pathlib.Path(".")):
    print("held", flush=True)
    time.sleep(60)
"""
    holder = python(hold, copy_of_run, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(tavu.TavuError, match="another process"):
        resume(copy_of_run, 22)
    holder.kill()
    holder.communicate()
    assert resume(copy_of_run, 22)[-1].step == 22


def test_two_that_begin_at_once_without_a_name_get_a_folder_each(stories, tmp_path):
    script = f"import tavu; tavu.train([{str(stories)!r}], steps=2, settings={SETTINGS!r}, quiet=True)"
    both = [python(script, tmp_path) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"stories", "stories-2"}
    assert all(load_model(path)[1]["val_bpb"] for path in (tmp_path / "runs").iterdir())


def test_a_run_goes_on_with_its_text_wherever_that_lies_now(copy_of_run, stories, tmp_path):
    recipe = (copy_of_run / "recipe.toml").read_text().replace(str(stories), str(tmp_path / "gone.txt"))
    (copy_of_run / "recipe.toml").write_text(recipe)
    with pytest.raises(tavu.TavuError, match=r"gone\.txt: no such file .* name its new place: tavu train NEW_PLACE --resume"):
        resume(copy_of_run, 22)
    moved = shutil.copy(stories, tmp_path / "moved.txt")
    assert resume(copy_of_run, 22, [str(moved)])[-1].step == 22
    assert old_recipe(copy_of_run).data.sources == (str(moved),)
    assert resume(copy_of_run, 23)[-1].step == 23


def test_a_run_refuses_other_text_and_is_left_as_it_was(copy_of_run, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("\n<|endoftext|>\n".join(tale.text for tale in islice(tell_many(9), 80)))
    before = (copy_of_run / "recipe.toml").read_bytes(), (copy_of_run / "metrics.jsonl").read_bytes()
    with pytest.raises(tavu.TavuError, match=r"was started on other text than .*other\.txt holds now\. .* tavu train NEW_PATH --resume"):
        resume(copy_of_run, 22, [str(other)])
    assert ((copy_of_run / "recipe.toml").read_bytes(), (copy_of_run / "metrics.jsonl").read_bytes()) == before


BROKEN = {  # what was done to a recipe, what is said of it
    "a slip": (lambda text: text.replace("=", "==", 1), r"recipe\.toml is not valid TOML: "),
    "cut off": (lambda text: text[:300], r"recipe\.toml is not valid TOML: "),
    "emptied": (lambda text: "", r"recipe\.toml is no recipe of this version: model\.patching is None, expected one of fixed, words\. "),
    "a setting misspelled": (lambda text: text.replace("seed", "sede"), r"recipe\.toml is no recipe .*: There is no setting train\.sede\. "),
    "a word for a number": (lambda text: text.replace("steps = 20", 'steps = "x"'), r"recipe\.toml is no recipe .*: train\.steps is 'x', expected "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_recipe_is_told_with_a_way_out(copy_of_run, name):
    change, said = BROKEN[name]
    path = copy_of_run / "recipe.toml"
    whole = path.read_text()
    path.write_text(change(whole))
    with pytest.raises(tavu.TavuError, match=rf"{said}.*Fix it, restore it from a copy, or start a new run: tavu train SOURCE --out"):
        old_recipe(copy_of_run, steps=22)
    path.write_text(whole)
    assert old_recipe(copy_of_run, steps=22).train.steps == 22


def test_a_run_of_an_earlier_version_goes_on_and_says_that_its_text_is_not_known(copy_of_run):
    change_state(copy_of_run, corpus="", recipe={})
    assert any("cannot be checked" in event.text for event in resume(copy_of_run, 21) if isinstance(event, Note))
    assert load_counters(copy_of_run).corpus
    assert not [event for event in resume(copy_of_run, 22) if isinstance(event, Note)]


def test_sources_are_kept_with_their_whole_paths(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    recipe = new_recipe(["texts", "texts/*.txt", "tales"], steps=1)
    assert recipe.data.sources == (str(tmp_path / "texts"), str(tmp_path / "texts/*.txt"), "tales")


def test_a_recipe_of_another_run_is_refused(copy_of_run, stories, tmp_path):
    settings = [*SETTINGS, "model.lexicon_words=0"]  # fewer tensors, all of which the state has
    tavu.train([str(stories)], steps=2, out=tmp_path / "other", settings=settings, quiet=True)
    shutil.copy(tmp_path / "other/recipe.toml", copy_of_run)
    with pytest.raises(tavu.TavuError, match=r"recipe\.toml is not the recipe that this run was started with"):
        resume(copy_of_run, 22)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_run_whose_model_file_is_lost_goes_on_and_writes_it_anew(copy_of_run, damage):
    model = copy_of_run / "model.safetensors"
    if damage == "cut":
        model.write_bytes(model.read_bytes()[:5000])
    else:
        model.unlink()
    events = resume(copy_of_run, 23)
    assert any("the best model so far is lost" in event.text for event in events if isinstance(event, Note))
    assert events[-1].stopped == "budget" and load_model(copy_of_run)[1]["step"] == 23


def test_a_flipped_bit_of_a_state_is_noticed(copy_of_run):
    path = copy_of_run / "state/training.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(tavu.TavuError, match=r"training\.safetensors is damaged: its checksum does not match"):
        resume(copy_of_run, 22)


@pytest.mark.parametrize("changes", [{"step": "x"}, {"step": -1}, {"plan": {}}, {"seconds": None}, {"recipe": {"model": 3}}, {"dropout": "x"}])
def test_counters_that_cannot_be_are_refused(copy_of_run, changes):
    change_state(copy_of_run, **changes)
    with pytest.raises(tavu.TavuError):
        resume(copy_of_run, 22)


def test_what_kills_left_half_written_is_cleared(copy_of_run):
    left = [copy_of_run / ".model.safetensors.123.tmp", copy_of_run / "state/.training.safetensors.123.tmp"]
    for path in left:
        path.touch()
    resume(copy_of_run, 21)
    assert not any(path.exists() for path in left)


def test_a_kill_between_an_early_stop_and_its_last_measurement_trains_no_further(copy_of_run):
    metrics = copy_of_run / "metrics.jsonl"
    metrics.write_text("".join(line for line in metrics.read_text().splitlines(keepends=True) if '"done"' not in line))
    change_state(copy_of_run, stopped="early")
    finished = resume(copy_of_run, 500)[-1]
    assert isinstance(finished, Finished) and (finished.stopped, finished.step) == ("early", 20)


def test_a_run_of_a_gpu_that_is_gone_says_so_and_goes_on_where_it_is_told_to(copy_of_run):
    change_state(copy_of_run, plan=load_counters(copy_of_run).plan | {"device": "mps"})
    recipe = (copy_of_run / "recipe.toml").read_text().replace('device = "cpu"', 'device = "auto"')
    (copy_of_run / "recipe.toml").write_text(recipe)
    with pytest.raises(tavu.TavuError, match=r"was training on mps, which this machine .* lacks\. .*--set train\.device=cpu"):
        resume(copy_of_run, 22)
    started = next(event for event in resume(copy_of_run, 22, settings=["train.device=cpu"]) if isinstance(event, Started))
    assert started.plan.device == "cpu"


def test_where_compiling_fails_training_goes_on_without(copy_of_run, monkeypatch):
    def fail(*arguments, **options):
        def forward(*arguments):
            raise RuntimeError("no compiler")

        return forward

    monkeypatch.setattr("torch.compile", fail)
    events = resume(copy_of_run, 22, settings=["train.compile=on"])
    assert [event.text for event in events if isinstance(event, Note)] == ["Training continues without torch.compile, which failed here: no compiler"]
    assert events[-1].step == 22


def test_samples_with_line_separators_survive_a_resume(copy_of_run):
    path = copy_of_run / "samples.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1]
    row = json.loads(lines[0]) | {"text": "la\u2028la\u2029la\u0085la\x1cla"}
    path.write_text("".join(json.dumps(row | {"step": step}, ensure_ascii=False) + "\n" for step in range(10)), encoding="utf-8")
    resume(copy_of_run, 21)
    kept = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    assert [line["step"] for line in kept][:10] == list(range(10)) and kept[0]["text"] == row["text"]


NEGATIVE = b'{"event": "valid", "step": 1, "seconds": -1, "bytes_seen": 1, "val_bpb": 1, "standard_error": 0}\n'


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl"])
@pytest.mark.parametrize(
    "line", [b"[]\n", b"\xff\n", b"{}\n", b'{"step": "a"}\n', b"null\n", b'{"event": 3, "step": 1}\n', NEGATIVE, b"[" * 100_000 + b"\n"]
)
def test_a_damaged_line_of_a_log_is_passed_over(copy_of_run, name, line):
    path = copy_of_run / name
    path.write_bytes(line + path.read_bytes())
    write_report(copy_of_run)
    assert "damaged line" in (copy_of_run / "report.html").read_text()
    assert resume(copy_of_run, 21)[-1].step == 21


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: bytes(byte ^ (1 << i % 8) if i % 97 == 5 else byte for i, byte in enumerate(content)),
    "a list": lambda content: b"[]",
    "zeros": lambda content: bytes(len(content)),
    "words": lambda content: b"hello = 3\n",
    "nested": lambda content: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", [*DAMAGES, "missing", "a folder"])
@pytest.mark.parametrize(
    "name", ["recipe.toml", "environment.json", "metrics.jsonl", "samples.jsonl", "model.safetensors", "state/training.safetensors", "report.html"]
)
def test_whatever_is_damaged_in_a_run_folder_ends_in_a_sentence_at_worst(copy_of_run, name, damage):
    path = copy_of_run / name
    if damage in DAMAGES:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    else:
        path.unlink()
        if damage == "a folder":
            path.mkdir()
    for use in (lambda: write_report(copy_of_run), lambda: tavu.load(copy_of_run).generate("Once", max_bytes=5), lambda: resume(copy_of_run, 21)):
        try:
            use()
        except tavu.TavuError as error:
            assert len(str(error)) < 1000


TRAIN = f"""
import tavu
try:
    tavu.train(["tales:200"], steps=10**6, out="run", settings={SETTINGS!r})
finally:
    print("after", flush=True)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_signal_keeps_the_model_and_reaches_the_script(tmp_path, number, status):
    process = python(TRAIN, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("Training starts"):
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("after\n", status), err
    assert load_model(tmp_path / "run")[1]["val_bpb"] and json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])["event"] == "done"


def set_options() -> list[str]:
    return [word for setting in SETTINGS for word in ("--set", setting)]


def test_a_closed_terminal_ends_a_training_with_its_model_saved(tmp_path):
    arguments = ["tavu", "train", "tales:200", "--steps", "1000000", "--out", "run", *set_options()]
    script = f"from tavu.cli.main import main; import sys; sys.argv = {arguments!r}; main()"
    process = python(script, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("Training starts"):
            break
    process.stderr.close()  # as the terminal does
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert load_model(tmp_path / "run")[1]["val_bpb"] and (tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1].startswith('{"event": "done"')


def test_train_shows_how_it_goes_unless_told_not_to(stories, tmp_path, capsys):
    tavu.train([str(stories)], steps=2, out=tmp_path / "quiet", settings=SETTINGS, quiet=True)
    assert capsys.readouterr() == ("", "")
    tavu.train([str(stories)], steps=2, out=tmp_path / "told", settings=SETTINGS)
    told = capsys.readouterr()
    assert told.out == "" and "Training starts" in told.err and "bits per byte" in told.err


def test_events_of_a_training_are_there_for_a_loop_of_ones_own(stories, tmp_path):
    with pytest.raises(tavu.TavuError, match="There is no preset"):
        tavu.train_events([str(stories)], preset="wrds")
    *_, last = tavu.train_events([str(stories)], steps=2, out=tmp_path / "run", settings=SETTINGS)
    assert isinstance(last, Finished) and last.step == 2


@pytest.mark.parametrize(
    "arguments",
    [["nosuch.txt"], ["tales", "--preset", "wrds"], ["tales", "--minutes", "0"], ["tales", "--set", "train.stps=3"], ["--resume", "nosuch"], []],
)
def test_mistakes_are_told_before_torch_is_loaded(tmp_path, arguments):
    script = f"""
import sys
from tavu.cli.main import main
sys.argv = ["tavu", "train", *{arguments!r}]
try:
    main()
finally:
    print("torch" in sys.modules)
"""
    process = python(script, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "False\n"), err
    assert err.startswith("tavu: ") and not (tmp_path / "runs").exists()
