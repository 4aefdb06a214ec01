"""tavu train: the run folder, resuming, interrupts, and the errors."""

import gzip
import io
import json
import signal
import sys
import time

import pytest

from tavu.model_file import load_model
from tavu.training.state import load_counters

FILES = {".lock", "model.safetensors", "report.html", "progress.png", "metrics.jsonl", "samples.jsonl", "recipe.toml", "environment.json", "state"}
JSON_KEYS = {"model", "val_bpb", "bytes_seen", "bytes_per_second", "seconds", "whole_seconds", "peak_memory_mb", "steps", "stopped", "report"}

FIXED_ON_RESUME = (
    "A resumed run keeps the model, data settings, batch_bytes, seed and teachers that it started with; only other settings can change. "
    "Start a new run to change these."
)
ALLOWED_WITH_RESUME = (
    "--resume continues a run unchanged: it allows only --minutes, --hours, --steps, --set, and SOURCE or --valid if the text has moved."
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working folder, with runs/."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_writes_all_files_of_its_folder_and_prints_their_paths(tavu, small, stories, here):
    status, out, err = tavu("train", stories, "--steps", 5, *small)
    assert status == 0
    assert {path.name for path in (here / "runs/stories").iterdir()} == FILES
    assert [path.name for path in (here / "runs/stories/state").iterdir()] == ["training.safetensors"]
    assert "Trained for " in out and "Model:   runs/stories/model.safetensors\n" in out and out.endswith("Next:    tavu generate runs/stories Once\n")
    assert "to train on" in err and "Ctrl-C stops it and saves the model" in err and "validation" in err and "reading" not in err
    assert json.loads((here / "runs/stories/environment.json").read_text())["command"].startswith(f"tavu train {stories} --steps 5 --set ")


def test_json_and_a_second_run_of_the_same_name(answer, small, stories, here):
    told = answer("train", stories, "--steps", 5, *small)
    assert told["model"] == "runs/stories/model.safetensors" and told.keys() >= JSON_KEYS
    assert told["steps"] == 5 and told["bytes_seen"] == 5 * 256 and told["stopped"] == "budget"
    assert load_model("runs/stories")[1]["val_bpb"] == told["val_bpb"]
    assert answer("train", stories, "--steps", 5, "--seed", 7, *small)["model"] == "runs/stories-2/model.safetensors"
    assert "seed = 7" in (here / "runs/stories-2/recipe.toml").read_text()


def test_a_budget_of_only_a_few_steps_gives_a_warning(tavu, small, stories, here):
    short, enough = (tavu("train", stories, *budget, "--out", name, *small)[1] for name, *budget in (("a", "--minutes", 0.0001), ("b", "--steps", 2)))
    assert "There was time for only" in short and "There was time" not in enough


def test_one_document_to_validate_on_has_no_standard_error(tavu, small, here):
    (here / "a.txt").write_text("Once upon a time there was a bear. " * 40)
    status, out, err = tavu("train", "a.txt", "--steps", 2, *small, "--json")
    assert status == 0 and "nan" not in out + err and "±" not in out + err
    assert json.loads(out.splitlines()[-1])["val_standard_error"] is None
    assert load_model("runs/a")[1]["val_standard_error"] is None


def test_many_epochs_give_a_warning(tavu, small):
    """With little dropout, the five tales are overfitted."""
    often = ["--set", "train.milestones=16", "--set", "train.patience=1", "--set", "train.muon_every=1", "--set", "train.dropout=0.01"]
    status, _, err = tavu("train", "tales:5", "--steps", 160, *small, *often)
    assert status == 0 and "dropout 0.01" in err
    assert "Validation loss rises after the first epoch: training returns to its best model, of minute " in err


@pytest.mark.parametrize("source", ["{folder}", "{folder}/*.txt", "{folder}/../texts"])
def test_sources_that_are_folders_and_globs(answer, small, stories, here, source):
    (here / "texts").mkdir()
    (here / "texts/some.txt").write_text(stories.read_text())
    told = answer("train", source.format(folder=here / "texts"), "--steps", 1, *small)
    assert told["model"].startswith("runs/texts/" if "*" not in source else "runs/")


def test_valid_preset_file_and_settings(answer, small, stories, here):
    level = "num_layers = 1, num_heads = 2, mlp_dim = 32"
    levels = f"[{{dim = 32, patch_size = 4, {level}}}, {{dim = 16, {level}}}]"
    (here / "mine.toml").write_text(f'[model]\npatching = "fixed"\nmax_seq_len = 64\nlevels = {levels}\n')
    (here / "valid.txt").write_text("A bear sat by the sea and sang all day, and that was that.")
    settings = [word for setting in small if setting.startswith(("train.", "sample.")) for word in ("--set", setting)]
    told = answer("train", stories, "--preset", "mine.toml", "--valid", "valid.txt", "--steps", 2, "--out", "here/there", *settings)
    assert told["model"] == "here/there/model.safetensors" and told["val_bytes"] == 58
    assert load_model("here/there")[0].config.patching == "fixed"


def test_a_finished_run_resumes_only_with_a_larger_budget(answer, refused, small, stories, here):
    answer("train", stories, "--steps", 5, "--out", "run", *small)
    recipe = (here / "run/recipe.toml").read_text()
    for arguments, sentence in {
        (): "run has trained 5 steps, its budget is 5 steps. To train on, give a larger one, as --minutes or --steps.",
        ("--steps", 3): "run has trained 5 steps, its budget is 3 steps. To train on, give a larger one, as --minutes or --steps.",
        ("--steps", 9, "--set", "model.max_seq_len=128"): FIXED_ON_RESUME,
        ("--steps", 9, "--text-field", "x"): FIXED_ON_RESUME,
        ("--seed", 3): ALLOWED_WITH_RESUME,
        ("--minutes", 0): "train.minutes is 0.0, expected more than 0. Try --minutes 10.",
    }.items():
        assert refused("train", "--resume", "run", *arguments) == sentence
        assert (here / "run/recipe.toml").read_text() == recipe
    assert answer("train", "--resume", "run", "--steps", 9)["steps"] == 9
    assert "steps = 9" in (here / "run/recipe.toml").read_text()
    assert answer("train", "--resume", "run", "--set", "train.steps=10")["steps"] == 10


def test_a_folder_with_a_run_is_not_overwritten(refused, run_folder, stories, here):
    assert refused("train", stories, "--out", run_folder) == (
        f"{run_folder} already has a run. Resume it with `tavu train --resume {run_folder}`, or choose another --out."
    )
    assert refused("train", "--resume", here / "nowhere") == (
        f"{here / 'nowhere'} is not a run folder: it has no recipe.toml. Name one that `tavu train` made, e.g. runs/stories."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "There is nothing to train on. Name a text, as in `tavu train stories.txt`, or try the built-in one: tavu train tales"),
        ("tales --minutes 0", "train.minutes is 0.0, expected more than 0. Try --minutes 10."),
        ("tales --minutes nan", "train.minutes is nan, expected more than 0. Try --minutes 10."),
        ("tales --minutes -3", "train.minutes is -3.0, expected more than 0. Try --minutes 10."),
        ("tales --steps 0", "train.steps is 0, expected 1 or more."),
        ("tales --hours 1 --minutes 2", "The budget is given twice, as 2 minutes and as 1 hours. Give one."),
        ("tales --hours 1 --steps 2", "The budget is given twice, as 60 minutes and as 2 steps. Give one."),
        ("tales --minutes 1 --steps 2", "The budget is given twice, as 1 minutes and as 2 steps. Give one."),
        ("tales --seed -1", "train.seed is -1, expected 0 or more, and less than 2 ** 63."),
        ("tales --preset wrds", "There is no preset 'wrds', expected one of megabyte, megabyte-3-levels, megabyte-40m, words, words-large, "
         "or a .toml file. "
         "Did you mean words?"),
        ("tales --set train.stpes=5", "There is no setting train.stpes. Did you mean train.steps?"),
        ("tales --set train.muon_learning_rate=nan", "train.muon_learning_rate is nan, expected a number from 0 to 10."),
        ("tales --set train.device=gpu", "train.device is 'gpu', expected one of auto, cpu, cuda, mps."),
        ("tales --record-bytes 7", "--record-bytes is 7, but it needs --bytes. Pass --bytes too."),
        ("a.bin --bytes --text-field x", "--text-field x and --bytes exclude each other: raw bytes have no fields. Pass one of them."),
        ("a.bin --bytes --record-bytes 0", "--record-bytes is 0, expected at least 1: the bytes of one document, such as 784 for 28 x 28 images."),
    ],
)  # fmt: skip
def test_wrong_options(refused, here, arguments, sentence):
    assert refused("train", *arguments.split()) == sentence
    assert list(here.iterdir()) == []


TEXT = b"Once upon a time there was a bear who sang by the sea. " * 40
BAD_FILES = {
    "empty.txt": (b"", "empty.txt is empty. Give a file with text, or pass --skip-bad to skip it."),
    "white.txt": (b"  \n", "white.txt has no documents, only white space and separators. Give a source with text."),
    "one.txt": (b"x", "one.txt holds one byte of text, too little to split into train and valid. Give more text."),
    "short.txt": (
        b"Hi there, you",
        "The corpus holds 12 bytes to train on, expected at least one row of 64. Give more text, or a shorter context: --set model.max_seq_len=8",
    ),
    "latin.txt": (
        "Hyvää päivää".encode("latin-1") * 9,
        "latin.txt: byte 0xe4 at offset 3 is not UTF-8 (it looks like Latin-1). Convert it: iconv -f latin1 -t utf-8 ",
    ),
    "cut.txt.gz": (
        gzip.compress(TEXT)[:-9],
        "cut.txt.gz is truncated: the archive ends before its data does. Copy or download it again, or pass --skip-bad to use what can be read.",
    ),
    "field.jsonl": (
        b'{"text": "one"}\n{"body": "two"}\n',
        "field.jsonl row 2 has no field 'text'; it has 'body'. Pass --text-field NAME, or --skip-bad to skip it.",
    ),
    "broken.jsonl": (b'{"text": "one"}\n{"text": "tw\n', "broken.jsonl row 2 is not JSON ("),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_leave_no_run(refused, small, here, name):
    content, sentence = BAD_FILES[name]
    (here / name).write_bytes(content)
    assert refused("train", name, "--steps", 3, *small).removeprefix(f"{here}/").startswith(sentence)
    assert [path.name for path in here.iterdir()] in ([name], [name, "runs"], ["runs", name])
    assert not list(here.glob("runs/*"))


def test_sources_that_are_not_there_or_hold_no_text(refused, stories, here):
    (here / "stories.txt").write_text("x")
    (here / "pictures").mkdir()
    assert refused("train", "storis.txt") == "storis.txt: no such file or folder. Did you mean stories.txt?"
    assert refused("train", "tale") == "tale: no such file or folder. Did you mean tales?"
    pattern = here / "texts/*.txt"
    assert refused("train", "texts/*.txt") == f"{pattern} matches no file. Check it with: ls {pattern}"
    assert refused("train", "pictures").endswith("pictures is a folder without files. Give one with text files in it.")
    (here / "pictures/a.png").write_bytes(b"\x89PNG")
    assert "pictures is a folder without text: 1 .png. Expected .txt," in refused("train", "pictures")
    assert refused("train", stories, "--valid", "nowhere.txt").startswith("nowhere.txt: no such file or folder.")


def test_skip_bad_continues(answer, tavu, small, here):
    rows = [json.dumps({"text": f"{number} bears sat by the sea, and sang until it was dark. The end."}) for number in range(40)]
    (here / "some.jsonl").write_text("\n".join([*rows[:3], "{", *rows[3:]]))
    status, _, err = tavu("train", "some.jsonl", "--skip-bad", "--steps", 1, *small)
    assert status == 0 and "(dropped: 1 unreadable)" in err and "skipped: " in err and "row 4 is not JSON" in err
    (here / "other.jsonl").write_text("\n".join(rows).replace("text", "työ 🐻"))
    assert answer("train", "other.jsonl", "--text-field", "työ 🐻", "--steps", 1, *small)["steps"] == 1


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_run_folder_that_cannot_be_made(refused, small, stories, here, below):
    (here / "file").write_text("")
    sentence = refused("train", stories, "--out", here / "file" / below, "--steps", 3, *small)
    if below:
        assert sentence == f"{here}/file/{below} could not be written: Not a directory. Choose another place with --out, or fix its permissions."
    else:
        assert sentence == f"{here}/file is a file, expected a folder for the run. Choose another --out."
    assert [path.name for path in here.iterdir()] == ["file"]


def test_a_missing_device_leaves_no_run(refused, small, stories, here, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    sentence = "train.device is 'cuda', which this machine (or this build of torch) lacks. Expected auto, or one of cpu"
    assert refused("train", stories, "--steps", 3, *small, "--set", "train.device=cuda").startswith(sentence)
    assert not list(here.glob("runs/*"))


def test_a_full_disk_at_the_start_leaves_no_run(refused, small, stories, here, files_of_at_most, answer):
    answer("train", stories, "--steps", 1, "--out", "fine", *small)  # the corpus is in the cache
    with files_of_at_most(100_000):
        sentence = refused("train", stories, "--steps", 3, "--out", "full", *small)
    assert (
        sentence == "full/state/training.safetensors could not be written: File too large. Choose another place with --out, or fix its permissions."
    )
    assert not (here / "full").exists()


def test_raw_bytes(answer, tavu, here, small, monkeypatch):
    (here / "images.bin").write_bytes(bytes(range(256)) * 64)
    arguments = ("--bytes", "--record-bytes", 64, "--steps", 3, "--preset", "words", *small)
    told = answer("train", "images.bin", *arguments, "--set", 'sample.prompts=[""]')
    assert told["model"] == "runs/images/model.safetensors" and load_model("runs/images")[1]["kind"] == "bytes"
    written = answer("generate", "runs/images", "--max-bytes", 40, "--count", 2)
    assert any("\ufffd" in text["text"] for text in written["texts"])
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
        assert tavu("generate", "runs/images", "--max-bytes", 40, "--count", 2)[::2] == (0, "")
        content = sys.stdout.buffer.getvalue()
        patch.setattr(sys.stdout, "isatty", lambda: True)
        assert tavu("generate", "runs/images")[::2] == (
            2, "tavu: This model writes raw bytes, which a terminal cannot show. Write them to a file: tavu generate ... > out.bin\n"
        )  # fmt: skip
    assert len(content) == sum(text["num_bytes"] for text in written["texts"])
    assert "".join(text["text"] for text in written["texts"]) == content.decode(errors="replace")
    measured = answer("evaluate", "runs/images", "images.bin")
    assert measured["num_documents"] == 256 and measured["num_bytes"] == 256 * 64  # in records as it was trained on
    assert answer("evaluate", "runs/images", "images.bin", "--record-bytes", 8192)["num_documents"] == 2
    assert "kind: bytes" in tavu("info", "runs/images")[1]


def test_ctrl_c_saves_the_model_and_prints_how_to_resume(process, answer, small, stories, here):
    with process("train", stories, "--steps", 10**6, "--out", "a run", *small, "--json", text=True) as training:
        while not (here / "a run/recipe.toml").exists():
            time.sleep(0.05)
            assert training.poll() is None, training.stderr.read()
        time.sleep(0.3)
        training.send_signal(signal.SIGINT)
        out, err = training.communicate()
    assert training.returncode == 0
    assert "Stopping: " in err and "Traceback" not in err and '. Resume with: tavu train --resume "a run".' in out
    told = json.loads(out.splitlines()[-1])
    assert told["stopped"] == "interrupted" and load_model("a run")[1]["val_bpb"] == told["val_bpb"]
    assert answer("train", "--resume", "a run", "--steps", told["steps"] + 2)["steps"] == told["steps"] + 2


@pytest.mark.parametrize("more", [1, 3])
def test_repeated_ctrl_c_stops_at_once_and_prints_what_is_saved(process, answer, small, stories, here, more):
    long_to_measure = ["--set", f"sample.prompts={json.dumps(['Once'] * 2000)}"]
    with process("train", stories, "--steps", 10**6, "--out", "a run", *small, *long_to_measure, text=True) as training:
        for line in training.stderr:
            if line.startswith("Training starts"):
                break
        time.sleep(0.3)
        training.send_signal(signal.SIGINT)
        assert training.stderr.readline().startswith("Stopping: saving")
        for _ in range(more):
            training.send_signal(signal.SIGINT)
            time.sleep(0.03)
        out, err = training.communicate()
    step = load_counters(here / "a run").step
    assert training.returncode == 130 and step > 0 and out == ""
    assert "Traceback" not in err and err.splitlines()[-1].startswith(f"Stopped at once. The last checkpoint is step {step:,}, after ")
    assert err.endswith('. Resume with: tavu train --resume "a run"\n')
    assert answer("train", "--resume", "a run", "--steps", step + 2, "--set", 'sample.prompts=["Once"]')["steps"] == step + 2


def test_ctrl_c_before_training_leaves_nothing(process, here):
    with process("train", "tales:1000000", environment={"TAVU_CACHE": str(here / "cache")}, text=True) as training:
        while not list((here / "cache").glob("corpora/*.tmp/spool")) and training.poll() is None:
            time.sleep(0.05)
        training.send_signal(signal.SIGINT)
        assert training.communicate() == ("", "Stopped before training began: nothing was saved.\n")
    assert training.returncode == 130
    assert not (here / "runs").exists() and not list((here / "cache/corpora").iterdir())
