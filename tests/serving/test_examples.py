"""The examples in the studio come from the model: from the prompts of its run, or from text that it generates."""

import json

import pytest

import tavu
from tavu.language_model import load
from tavu.reports.run_folder import read_run
from tests.serving.conftest import ask, serving
from tests.training.conftest import TINY

STORY = "Olipa kerran {}. Hän oli iloinen, ja {} nauroi. Sitten he menivät kotiin nukkumaan."


def proposed(model):
    with serving(model) as address:
        return ask(address, "/studio/facts")[2]


@pytest.fixture(scope="module")
def train_on_records(tmp_path_factory):
    """The function rows -> the run folder of a tiny model that has seen them."""

    def train(rows):
        folder = tmp_path_factory.mktemp("records")
        (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        tavu.train([str(folder / "rows.jsonl")], out=folder / "run", settings=(*TINY, "data.as_records=true", "sample.prompts=[]"), quiet=True)
        return folder / "run"

    return train


def test_plain_text_uses_its_own_openings(run_folder):
    told = proposed(run_folder)
    assert told["opening"] == next(filter(None, read_run(run_folder).prompts)) and told["words"] == []


def test_without_a_run_folder_the_model_generates_examples(model_file):
    told, own = proposed(model_file), load(model_file).generate("", temperature=0, max_bytes=240)
    assert told["opening"] and own.split()[0] in told["opening"]
    assert all(word in own for word in told["words"])


def test_story_requests_are_in_the_language_of_the_records(train_on_records):
    rows = [{"story": STORY.format(who, who) + f" {i}", "words": [who]} for i in range(60) for who in ("karhu", "kissa")]
    told = proposed(train_on_records(rows))
    assert told["records"] == "stories" and set(told["words"]) <= {"karhu", "kissa"} and told["words"]


def test_a_conversation_starts_with_a_user_message(train_on_records):
    said = ("Hello!", "Who are you?", "Good night.")
    turns = [({"role": "user", "content": what}, {"role": "assistant", "content": f"You say {what} {i}."}) for i in range(40) for what in said]
    rows = [{"messages": pair} for pair in turns]
    told = proposed(train_on_records(rows))
    assert told["records"] == "chat" and told["opening"] in said
