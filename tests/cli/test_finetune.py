"""From plain stories to a model that takes requests: instruct-data, finetune, generate."""

import io
import json
import re
import sys

import pytest

import tavu as package
from tavu.model_file import load_model


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    from tavu.data.tales import tell_many

    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    rows = [{"story": t.text, "words": t.words, "features": t.features, "summary": t.summary} for t in tell_many(1, 60)]
    path.write_text("\n".join([*map(json.dumps, rows), '{"story": "no request"}']))
    return path


@pytest.fixture(scope="module")
def tuned(run_folder, records, tmp_path_factory):
    """The run folder of the tiny model after two steps of fine-tuning."""
    from tavu import run_recipes, runs
    from tests.training.conftest import TINY

    folder = tmp_path_factory.mktemp("runs") / "tuned"
    settings = [setting for setting in TINY if not setting.startswith("model.") and "prompts" not in setting]
    recipe = run_recipes.finetune_recipe(run_folder, [str(records)], settings=[*settings, "train.steps=2"])
    list(runs.run(recipe, folder))
    return folder


def test_derived_records(answer, tavu, stories, tmp_path):
    told = answer("instruct-data", stories, "--out", tmp_path / "new" / "records.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "new" / "records.jsonl").read_text().splitlines()]
    assert told["records"] == len(rows) > 10 and told["skipped"] == 0
    assert all(row["derived"] and row["story"] and row.keys() & {"words", "sentence", "features"} for row in rows)
    status, out, _ = tavu("instruct-data", stories, "--out", tmp_path / "records.jsonl")
    assert status == 0 and "derived by rule" in out and f"Next: tavu finetune MODEL {tmp_path / 'records.jsonl'}" in out


def test_records_in_variants_and_from_scratch(tavu, answer, refused, stories, small, tmp_path):
    records = tmp_path / "records.jsonl"
    told = answer("instruct-data", stories, "--out", records, "--variants", 3)
    assert told["records"] % 3 == 0 and told["records"] == len(records.read_text().splitlines())
    assert refused("instruct-data", stories, "--out", records, "--variants", 0) == "--variants is 0, expected 1 or more records of each story. Try 3."
    status, _, err = tavu("train", records, "--records", "--steps", 2, "--out", tmp_path / "run", *small)
    assert status == 0, err
    assert package.load(tmp_path / "run").records == "stories"
    assert refused("train", records, "--records", "--bytes").startswith("--bytes and --records exclude each other")


def test_derived_records_into_a_folder(refused, stories, tmp_path):
    assert refused("instruct-data", stories, "--out", tmp_path) == (f"{tmp_path} is a folder, expected the name of a file. Give another with --out.")


def test_fine_tuning_starts_from_the_model_and_reports_skipped_records(tavu, run_folder, records, small, tmp_path):
    kept = [setting for setting in small[1::2] if not setting.startswith(("model.", "sample.prompts"))]
    settings = [word for setting in kept for word in ("--set", setting)]
    status, out, err = tavu("finetune", run_folder, records, "--valid", "tales:5", "--steps", 2, "--out", tmp_path / "run", *settings)
    assert status == 0, err
    assert "dropped: 1 unreadable" in err and "row 61 is not a record: it has a story but no request" in err
    assert re.search(r"\d+ records are longer than the context of 64 bytes: the rest of each is trained on without its prompt", err)
    assert re.search(r"Next: +tavu generate \S+ .*--(words|features|summary) ", out)
    before, after = (dict(load_model(folder)[0].named_parameters()) for folder in (run_folder, tmp_path / "run"))
    moved = max(float((before[name] - after[name]).detach().abs().max()) for name in before)
    assert 0 < moved < 0.2
    status, _, err = tavu("train", "--resume", tmp_path / "run", "--steps", 3)
    assert status == 0, err


def test_the_request_reaches_the_model(tavu, answer, tuned):
    model = package.load(tuned)
    assert model.records == "stories" and "Dialogue" in model.facts["features"]
    told = answer("generate", tuned, "Once", "--words", "oak, cat", "--features", "Dialogue", "--max-bytes", 30, "--best-of", 3)
    assert told["obeyed"]["words"].keys() == {"oak", "cat"}
    plain, asked = (tavu("generate", tuned, "--max-bytes", 60, *more)[1] for more in ((), ("--words", "oak")))
    assert plain != asked and "Words" not in asked


def test_best_of_picks_the_story_that_follows_the_request_best(tuned, monkeypatch):
    from tavu.config import SamplingConfig
    from tavu.data.records import Request
    from tavu.evaluation.obedience import has_word, words_of

    model = package.load(tuned)
    drafts = [draft.text for draft in model.write(model.read_before(Request(words=("oak",))), SamplingConfig(max_bytes=40), count=4)]
    own = {draft: words_of(draft) - set().union(*(words_of(other) for other in drafts if other is not draft)) for draft in drafts}
    wanted, word = next(
        (draft, word) for draft in drafts for word in own[draft] if not any(has_word(words_of(o), word) for o in drafts if o is not draft)
    )
    monkeypatch.setattr(model, "read_before", lambda request: Request(words=("oak",)).prompt().encode() + b"\xff\n")
    (best,) = model.write_to_order(Request(words=(word,)), SamplingConfig(max_bytes=40), best_of=4)
    assert best.text == wanted


def test_it_retries_while_something_is_missing(tuned, monkeypatch):
    from tavu.config import SamplingConfig
    from tavu.data.records import Request
    from tavu.generation.writing import Written

    model, seeds = package.load(tuned), []

    def write(_prompt, config, count):
        seeds.append(config.seed)
        texts = {0: "An oak.", 1: "A cat and an oak.", 1_000_000: "A dog.", 2_000_000: "The end: oaks, cats.", 3_000_000: "Never asked for."}
        return [Written(texts[config.seed + i].encode(), "end", 0.1) for i in range(count)]

    monkeypatch.setattr(model, "write", write)
    request, config = Request(words=("oak", "cat")), SamplingConfig()
    assert [draft.text for draft in model.write_to_order(request, config, count=2, tries=4)] == ["The end: oaks, cats.", "A cat and an oak."]
    assert seeds == [0, 1_000_000, 2_000_000]
    assert model.write_to_order(request, config, tries=2)[0].text == "An oak."


def test_errors(refused, tuned, run_folder, records, tmp_path):
    assert refused("generate", run_folder, "--words", "oak").startswith(
        f"{run_folder / 'model.safetensors'} was not fine-tuned to follow requests. Fine-tune it"
    )
    assert refused("generate", tuned, "--words", "") == "--words is '', expected some text, as in --words quit,oak,gloomy. Or omit it."
    assert refused("generate", tuned, "--features", "Dialog").endswith("requesting it would have no effect. Did you mean Dialogue?")
    assert "It knows: Dialogue" in refused("generate", tuned, "--features", "xyzzy")
    assert refused("generate", tuned, "--best-of", 3).startswith("--best-of chooses by the request, but there is none.")
    assert refused("generate", tuned, "--words", "oak", "--best-of", 0) == "best_of is 0, expected 1 or more."
    assert refused("generate", tuned, "--words", "oak", "--tries", 0) == "tries is 0, expected 1 or more."
    assert refused("generate", tuned, "--tries", 2).startswith("--tries chooses by the request, but there is none.")
    assert refused("generate", tuned, "--words", "oak", "--tries", 2, "--best-of", 2).endswith("Give one of them.")
    (tmp_path / "bad.jsonl").write_text('{"story": "x"}\n')
    assert "and all were skipped" in refused("finetune", run_folder, tmp_path / "bad.jsonl", "--steps", 1, "--out", tmp_path / "run")
    assert refused("finetune", "nowhere", records).startswith("There is no model 'nowhere'")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def talker(run_folder, tmp_path_factory):
    """The tiny model after a step on conversations."""
    from tavu import run_recipes, runs
    from tests.training.conftest import TINY

    folder = tmp_path_factory.mktemp("chat")
    rows = [{"messages": [{"role": "user", "content": f"Say {n}"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(40)]
    (folder / "chat.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = [setting for setting in TINY if not setting.startswith("model.") and "prompts" not in setting]
    list(runs.run(run_recipes.finetune_recipe(run_folder, [str(folder / "chat.jsonl")], settings=[*settings, "train.steps=1"]), folder / "run"))
    return folder / "run"


def test_a_conversation(tavu, talker, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello!\nAnd a much longer second turn\n\nnever read\n"))
    status, out, err = tavu("chat", talker, "--max-bytes", 15)
    assert status == 0, err
    model = package.load(talker)
    assert model.records == "chat" and out.startswith(model.generate("Hello!", max_bytes=15) + "\n") and out.count("\n") >= 2


def test_a_model_without_conversations(refused, run_folder):
    assert "was not fine-tuned on conversations" in refused("chat", run_folder)
