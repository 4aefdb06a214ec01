"""Training on real-world texts: odd names, runs below the source, lists, chats, too little text."""

import json

import pytest

from tavu.config import DataConfig
from tavu.data.tales import tell
from tavu.run_recipes import old_recipe


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working folder, with the texts and runs/."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tales(num, joint="\n<|endoftext|>\n"):
    return joint.join(tell(5, n).text for n in range(num))


def test_a_file_whose_name_is_not_utf8_is_trained_on_and_the_run_resumes(tavu, small, here):
    name = b"caf\xe9.txt".decode(errors="surrogateescape")
    (here / name).write_text(tales(40), encoding="utf-8")
    assert tavu("train", name, "--steps", 2, *small)[0] == 0
    assert tavu("train", "--resume", "runs/caf", "--steps", 3)[0] == 0
    for arguments in (("info", "runs/caf"), ("report", "runs/caf"), ("evaluate", "runs/caf", name)):
        assert tavu(*arguments)[0] == 0


def test_a_bad_file_whose_name_is_not_utf8_is_skipped_and_reported(tavu, small, here):
    (here / "f").mkdir()
    (here / "f" / "good.txt").write_text(tales(40), encoding="utf-8")
    (here / "f" / b"caf\xe9.txt".decode(errors="surrogateescape")).write_bytes(b"bad \xff")
    for _ in range(2):  # built, and found again
        status, _, err = tavu("train", "f", "--skip-bad", "--steps", 1, *small)
        assert status == 0 and "caf" in err and "is not UTF-8" in err


def test_a_run_below_its_source_is_not_text(tavu, small, here):
    (here / "chapter.txt").write_text(tales(40), encoding="utf-8")
    status, _, first = tavu("train", ".", "--steps", 1, *small)
    assert status == 0
    for arguments in (("--resume", "runs/run", "--steps", 2), (".", "--steps", 1, *small), (".", "--skip-bad", "--steps", 1, *small)):
        status, _, err = tavu("train", *arguments)
        assert status == 0 and err.splitlines()[0] == first.splitlines()[0], err
        assert "run folder" in err.splitlines()[1]


def test_a_name_that_begins_with_a_tilde(tavu, small, here):
    (here / "~$notes.txt").write_text(tales(40), encoding="utf-8")
    assert tavu("train", "~$notes.txt", "--steps", 1, *small)[0] == 0


def test_without_a_home_the_error_names_tavu_cache(refused, tavu, small, here, monkeypatch):
    (here / "a.txt").write_text(tales(40), encoding="utf-8")
    for cache in ("~nosuch", "~nosuch/cache"):
        monkeypatch.setenv("TAVU_CACHE", cache)
        assert refused("train", "a.txt", "--steps", 1, *small) == (
            f"There is no home folder to cache corpora in: {cache} does not exist. Set TAVU_CACHE to a folder."
        )
    monkeypatch.setenv("TAVU_CACHE", str(here / "cache"))
    assert tavu("train", "a.txt", "--steps", 1, *small)[0] == 0


def test_escape_sequences_of_a_text_do_not_reach_the_terminal(tavu, small, here):
    texts = (f"\x1b[2J\x1b[31mERROR\x1b[0m {n % 7} happened in the house by the sea, {n} times." for n in range(200))
    (here / "t.txt").write_text("\n<|endoftext|>\n".join(texts))
    (here / "a\x1b[31m.rst").write_text("left out")
    for source in ("t.txt", "."):
        status, out, err = tavu("train", source, "--steps", 1, *small, "--set", "sample.prompts=[]")  # then what most texts open with
        assert status == 0 and "\x1b" not in out + err and "␛[31mERROR" in out and "␛[31mERROR" in err


def test_the_split_option_is_part_of_the_run(tavu, refused, answer, small, here):
    (here / "lines.txt").write_text(tales(40, joint=" ").replace(". ", ".\n"), encoding="utf-8")
    status, _, err = tavu("train", "lines.txt", "--steps", 1, "--split", "lines", *small)
    assert status == 0 and "in one document" not in err.splitlines()[0]
    assert old_recipe(here / "runs/lines").data.split == "lines"
    assert tavu("train", "--resume", "runs/lines", "--steps", 2)[2].splitlines()[0] == err.splitlines()[0]
    whole, split = (answer("evaluate", "runs/lines", "lines.txt", *options) for options in ((), ("--split", "lines")))
    assert (whole["num_documents"], split["num_documents"]) == (
        1,
        len((here / "lines.txt").read_text().split("\n")) - (here / "lines.txt").read_text().count("\n\n"),
    )
    assert refused("train", "lines.txt", "--split", "(", *small).startswith("--split '(' is no regular expression: ")
    assert not (here / "runs/lines-2").exists()


def test_old_recipes_split_nothing():
    assert DataConfig(sources=("a.txt",)).split is None


def test_too_little_validation_text_is_noted_next_to_the_result(tavu, small, here):
    (here / "a.txt").write_text(tales(12), encoding="utf-8")
    _, out, err = tavu("train", "a.txt", "--steps", 1, *small)
    assert "too few for a reliable measurement. Give more text, or a longer validation text: --valid FILE" in err
    assert "bytes, too few to trust." in out and "1 document, too few to trust" in (here / "runs/a/report.html").read_text()
    (here / "c.txt").write_text(tales(5), encoding="utf-8")
    assert "This is too little text to compare models" in tavu("evaluate", "runs/a", "c.txt")[1]
    (here / "b.txt").write_text("\n<|endoftext|>\n".join(tell(6, n).text for n in range(20)), encoding="utf-8")
    _, out, err = tavu("train", "a.txt", "--valid", "b.txt", "--steps", 1, *small)
    assert "bits per byte" in out and "too few" not in out + err


def test_the_advice_for_a_chat_works(refused, tavu, small, here):
    rows = [
        {"conversations": [{"from": "human", "value": f"What is {n}?"}, {"from": "gpt", "value": f"A number, {tell(5, n).text}"}]} for n in range(40)
    ]
    (here / "chat.json").write_text(json.dumps(rows))
    said = refused("train", "chat.json", "--steps", 1, *small)
    assert said.endswith("`tavu train` and `tavu evaluate` read records with --records.")
    assert tavu("train", "chat.json", "--records", "--steps", 1, *small)[0] == 0
    assert tavu("evaluate", "runs/chat", "chat.json", "--records")[0] == 0


def test_stories_with_nothing_to_request_leave_the_file_unchanged(refused, here):
    (here / "a.txt").write_text("Just plain.")
    (here / "instruct.jsonl").write_text("kept")
    assert "a.txt has nothing to request" in refused("instruct-data", "a.txt", "--out", "instruct.jsonl")
    assert (here / "instruct.jsonl").read_text() == "kept"


def test_the_advice_for_stories_without_requests_works(refused, tavu, small, here, run_folder):
    (here / "stories.jsonl").write_text("\n".join(json.dumps({"text": tell(5, n).text}) for n in range(40)))
    said = refused("finetune", run_folder, "stories.jsonl", "--steps", 1)
    assert "`tavu instruct-data` makes records of plain stories" in said and "--skip-bad" not in said
    assert tavu("instruct-data", "stories.jsonl", "--out", "instruct.jsonl")[0] == 0
    assert tavu("train", "instruct.jsonl", "--records", "--steps", 1, *small)[0] == 0
    assert "instruct.jsonl is part of the source ." in refused("instruct-data", ".", "--out", "instruct.jsonl")
