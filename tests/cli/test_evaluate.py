"""tavu evaluate: bits per byte of any text, with baselines."""

import math
import shutil

import pytest

import tavu as package

KEYS = {"bits_per_byte", "standard_error", "num_bytes", "num_documents", "ngram_floors", "floors_from", "bytes_per_second", "model", "peak_memory_mb"}


@pytest.fixture
def documents(stories):
    return stories.read_text(encoding="utf-8").split("\n<|endoftext|>\n")


def test_json_equals_the_python_result(answer, run_folder, stories, documents):
    told = answer("evaluate", run_folder, stories)
    assert told.keys() >= KEYS
    measured = package.load(run_folder).bits_per_byte(documents)
    assert math.isclose(told["bits_per_byte"], measured.bits_per_byte, rel_tol=1e-6)
    assert math.isclose(told["standard_error"], measured.standard_error, rel_tol=1e-4)
    assert (told["num_bytes"], told["num_documents"]) == (measured.num_bytes, 80)
    assert told["floors_from"] == "the model's training text" and told["skipped"] == 0


def test_printed_result(tavu, run_folder, stories):
    status, out, err = tavu("evaluate", run_folder, stories)
    assert (status, err) == (0, "")
    assert "over 67,427 bytes in 80 documents. Lower is better." in out and "standard error" in out
    assert "  8.0000  a blind guess\n" in out and "3-gram model of bytes" in out and "  this model\n" in out


def test_one_document_has_no_standard_error(tavu, answer, run_folder, tmp_path):
    (tmp_path / "one.txt").write_text("Once upon a time.")
    assert answer("evaluate", run_folder, tmp_path / "one.txt")["standard_error"] is None
    out = tavu("evaluate", run_folder, tmp_path / "one.txt")[1]
    assert "bits per byte, over 17 bytes in one document." in out and "nan" not in out


def test_folders_globs_and_several_sources(answer, run_folder, documents, tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.txt").write_text(documents[number])
    expected = sum(len(documents[number].encode()) for number in (1, 2))
    for sources in ([tmp_path], [tmp_path / "*.txt"], [tmp_path / "1.txt", tmp_path / "2.txt"]):
        told = answer("evaluate", run_folder, *sources)
        assert (told["num_bytes"], told["num_documents"]) == (expected, 2)


def test_floors_without_the_training_text(answer, run_folder, stories, tmp_path):
    shutil.copy(run_folder / "model.safetensors", tmp_path)
    told = answer("evaluate", tmp_path, stories)
    assert told["floors_from"] == "the other half of this text" and told["ngram_floors"].keys() == {"1", "3", "5"}


def test_floors_read_the_training_text_like_the_run(answer, small, run_folder, documents, tmp_path):
    (tmp_path / "a.csv").write_text("name,tale\n" + "\n".join(f'bear,"{text}"' for text in (d.replace('"', "'") for d in documents[:9])))
    folder = tmp_path / "run"
    answer("train", tmp_path / "a.csv", "--text-field", "tale", "--steps", 1, "--out", folder, *small)
    (tmp_path / "valid.txt").write_text(documents[20])
    assert answer("evaluate", folder, tmp_path / "valid.txt")["floors_from"] == "the model's training text"


def test_wrong_sources_and_options(refused, run_folder, stories, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes("Hyvää".encode("latin-1"))
    assert refused("evaluate", run_folder, tmp_path / "empty.txt").endswith(
        "empty.txt is empty. Give a file with text, or pass --skip-bad to skip it."
    )
    assert "byte 0xe4 at offset 3 is not UTF-8" in refused("evaluate", run_folder, tmp_path / "latin.txt")
    assert "no such file or folder" in refused("evaluate", run_folder, tmp_path / "nowhere.txt")
    assert refused("evaluate", run_folder, stories, "--record-bytes", 5) == (
        f"--record-bytes is 5, but {run_folder} is a model of text: only models of raw bytes have it. Omit it."
    )
    assert refused("evaluate", tmp_path / "nowhere", stories).startswith("There is no model")


def test_skip_bad_counts_what_it_skipped(tavu, answer, run_folder, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Once upon a time."}\n{\n')
    assert answer("evaluate", run_folder, tmp_path / "a.jsonl", "--skip-bad")["skipped"] == 1
    assert "Skipped 1, for example: " in tavu("evaluate", run_folder, tmp_path / "a.jsonl", "--skip-bad")[1]


def test_stories(tavu, answer, run_folder, tmp_path):
    (tmp_path / "valid.txt").write_text("\n<|endoftext|>\n".join(f"One day Tom ran to the sea and back. He saw {n} ships." for n in range(4)))
    told = answer("evaluate", run_folder, tmp_path / "valid.txt", "--stories", "--count", 2, "--page", tmp_path / "new" / "page.html")
    assert {measure["name"] for measure in told["measures"]} >= {"stops by itself", "words", "facts"} and len(told["stories"]) == 2
    assert (tmp_path / "new" / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_records_are_measured_by_their_completions(answer, run_folder, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "Say it", "completion": "Once there was a story."}')
    assert answer("evaluate", run_folder, tmp_path / "a.jsonl", "--records")["num_bytes"] == len("Once there was a story.")


def test_a_judge_that_is_down(refused, run_folder, tmp_path):
    (tmp_path / "valid.txt").write_text(
        "One day Tom ran to the sea and back. He saw a ship.\n<|endoftext|>\nOne day Tom ran home. He saw no ship there."
    )
    asked = ("evaluate", run_folder, tmp_path / "valid.txt", "--stories", "--count", 1, "--page", tmp_path / "page.html")
    assert refused(*asked, "--judge", "http://127.0.0.1:9/v1") == "A judge needs all three of --stories, --judge URL and --judge-model NAME."
    assert "http://127.0.0.1:9/v1 cannot be reached" in refused(*asked, "--judge", "http://127.0.0.1:9/v1", "--judge-model", "m")


def test_options_of_stories_need_stories(refused, run_folder):
    for option in ("--count", "--page"):
        assert refused("evaluate", run_folder, "tales:5", option, "3") == f"{option} belongs to --stories. Pass --stories too, or omit it."


def test_an_ensemble_is_the_mean_of_several_models(tavu, answer, refused, run_folder, stories, tmp_path):
    """The mean of one model twice is that model; that of two models is better than the mean of their bits."""
    once = package.load(run_folder).bits_per_byte(stories.read_text(encoding="utf-8").split("\n<|endoftext|>\n"))
    told = answer("evaluate", run_folder, run_folder, stories, "--ensemble")
    assert told["model_bpb"] == pytest.approx([once.bits_per_byte] * 2, rel=1e-5) and told["bits_per_byte"] == pytest.approx(once.bits_per_byte)
    assert told["standard_error"] == pytest.approx(once.standard_error, rel=1e-4) and told["num_documents"] == 80
    told = answer("evaluate", run_folder, "stories", stories, "--ensemble")
    assert told["models"] == [str(run_folder), "stories"] and told["bits_per_byte"] < sum(told["model_bpb"]) / 2
    (tmp_path / "one.txt").write_text("Once upon a time, there was a dog.")
    out = tavu("evaluate", run_folder, "stories", tmp_path / "one.txt", "--ensemble")[1]
    assert "over 34 bytes in 1 document." in out and "  stories\n" in out and "stories alone is better than the mean." in out
    assert "needs several models, and a text after them" in refused("evaluate", run_folder, stories, "--ensemble")
    assert "--ensemble excludes --stories and --engine" in refused("evaluate", run_folder, run_folder, stories, "--ensemble", "--stories")
