"""Edge cases of input and output: arguments that begin with a dash, control characters, files that cannot be written."""

import re
from pathlib import Path

import pytest

import tavu as library
from tavu.config import SamplingConfig
from tavu.generation.text import ALLOWED, allowed_ids
from tavu.model_file import load_model, save_model


@pytest.mark.parametrize("prompt", ["- Hello", "-Hei, sanoi karhu", "– Привет", "-- Ei, sanoi"])
@pytest.mark.parametrize("where", [lambda prompt: [prompt], lambda prompt: [prompt, "--seed", 3], lambda prompt: ["--seed", 3, prompt]])
def test_a_prompt_may_begin_with_a_dash(tavu, run_folder, prompt, where):
    status, out, err = tavu("generate", run_folder, *where(prompt))
    assert status == 0 and out.startswith(prompt), err


@pytest.mark.parametrize("verb", ["generate", "evaluate", "train"])
def test_the_error_for_a_word_that_begins_with_a_dash_says_where_to_put_it(refused, verb):
    word = "-Hello"
    assert refused(verb, word).endswith(f"A text or name that begins with a dash must come last, after `--`: `tavu {verb} ... -- {word}`.")


def test_a_word_that_begins_with_a_dash_goes_after_two(tavu, run_folder):
    assert tavu("generate", run_folder, "--max-bytes", 3, "--", "-Hello")[1].startswith("-Hello")


BAD = {
    "a.txt": b"caf\xe9 and more",
    "a.pdf": b"%PDF-1.4 Once",
    "empty.txt": b"",
    "a.csv": b"title,body\na,b\n",
    "a.jsonl": b'{"body": "Once"}\n',
    "b.jsonl": b"{",
    "c.jsonl": b'{"messages": []}\n',
    "b.txt": b'{"text": "Once"}',
    "c.txt.gz": b"\x1f\x8b\x08",
    "binary": b"\x80\x00\x01",
    "folder/a.jpg": b"\xff\xd8",
}


@pytest.mark.parametrize("verb", ["train", "evaluate", "finetune", "instruct-data", "quantize"])
@pytest.mark.parametrize("name", BAD)
def test_errors_suggest_only_options_of_the_verb(tavu, run_folder, tmp_path, verb, name):
    bad = tmp_path / name.split("/")[0]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(BAD[name])
    out = ["--out", tmp_path / "out"]
    arguments = {"train": [bad, *out], "evaluate": [run_folder, bad], "finetune": [run_folder, bad, *out], "instruct-data": [bad, *out]}
    status, _, err = tavu(verb, *arguments.get(verb, [run_folder, "--valid", bad, *out]))
    assert status == 2 or name == "b.txt", err
    said = re.sub("`?tavu train (NEW_PLACE |SOURCE )?--[a-z-]+|`tavu evaluate` read records with --records", "", err)  # of another verb
    for option in re.findall("--[a-z][a-z-]+", said.replace(str(tmp_path), "")):
        assert f"{option} " in tavu(verb, "--help")[1], err


@pytest.mark.parametrize("option", ["--sed", "-x", "--temprature=3"])
def test_a_mistyped_option_is_an_error(refused, run_folder, option):
    assert "No such option" in refused("generate", run_folder, option)


def test_a_byte_order_mark_is_not_part_of_a_prompt(tavu, refused, run_folder, tmp_path):
    (tmp_path / "prompt.txt").write_text("Once", encoding="utf-8-sig")
    assert tavu("generate", run_folder, "--prompt-file", tmp_path / "prompt.txt")[1].startswith("Once")
    (tmp_path / "prompt.txt").write_text("Once", encoding="utf-16")
    assert "is UTF-16, expected UTF-8" in refused("generate", run_folder, "--prompt-file", tmp_path / "prompt.txt")


def test_control_characters_of_files_do_not_reach_the_terminal(tavu, refused, run_folder, tmp_path):
    model, facts = load_model(run_folder)
    save_model(tmp_path / "odd", model, facts | {"note": "\x1b[2Jgone", "bytes_per_patch": "many", "features": 3, "val_bpb": float("nan")})
    status, out, err = tavu("info", tmp_path / "odd")
    assert status == 0 and "\x1b" not in out + err and "gone" in out
    assert "\x1b" not in refused("info", tmp_path / "no\x1b[31msuch")


@pytest.mark.parametrize("command", [["evaluate", "--stories", "--page"], ["explain", "--prompt", "x", "--out"], ["quantize", "--out"]])
def test_the_output_file_is_checked_before_the_work(refused, run_folder, stories, tmp_path, command, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("work was done")

    for place in ("evaluation.stories.evaluate_stories", "evaluation.explain.explain", "compression.quantize.quantize_file"):
        monkeypatch.setattr(f"tavu.{place}", never)
    verb, *options = command
    sources = [stories] if verb == "evaluate" else []
    assert f"Give another with {options[-1]}." in refused(verb, run_folder, *sources, *options, tmp_path)


@pytest.mark.parametrize("command", [["quantize", "--out"], ["explain", "--prompt", "x", "--out"], ["instruct-data", "--out"]])
def test_a_file_with_another_ending_is_not_overwritten(refused, run_folder, stories, tmp_path, command):
    mine = tmp_path / "mine.txt"
    mine.write_text("my novel")
    verb, *options = command
    assert "exists and is not a" in refused(verb, stories if verb == "instruct-data" else run_folder, *options, mine)
    assert mine.read_text() == "my novel"


def test_a_model_writes_only_bytes_of_its_training_text(run_folder, stories):
    used = frozenset(stories.read_bytes())
    for engine in ("native", "torch"):
        model = library.load(run_folder, engine=engine)
        assert model.used_bytes <= used
        written = model.write("Once", SamplingConfig(temperature=50, max_bytes=200), count=3)
        assert set(b"".join(one.content for one in written)) <= used


def test_all_valid_bytes_are_allowed_if_no_used_byte_is():
    allowed = allowed_ids(frozenset(b"abc"))
    assert allowed.any(axis=1).all() and not (allowed & ~ALLOWED).any() and allowed[0].sum() == 4


def test_rare_words_are_not_stored_in_plain_text(tmp_path, small, answer):
    text = "\n<|endoftext|>\n".join(f"One day number {i} the bear ate. " + "hunter2secret " * (i < 3) + "common " for i in range(200))
    (tmp_path / "a.txt").write_text(text)
    for least, is_kept in ((2, True), (4, False)):
        settings = ["--set", f"train.min_word_count={least}", "--set", "train.valid_bytes=500"]
        told = answer("train", tmp_path / "a.txt", "--steps", 2, "--out", tmp_path / f"run{least}", *small, *settings)
        content = Path(told["model"]).read_bytes()
        assert b"bear" in content and (b"hunter2" in content) == is_kept
