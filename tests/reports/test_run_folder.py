"""Reading a run folder: whole, half finished, resumed, broken."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tavu.errors import TavuError
from tavu.reports.run_folder import read_run

VALID = {"event": "valid", "step": 10, "seconds": 1.5, "bytes_seen": 1000, "val_bpb": 4.0, "standard_error": 0.1}


def append(folder, name, *rows):
    with (folder / name).open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_a_finished_run(finished):
    record = read_run(finished)
    assert record.name == "stories"
    assert record.recipe["train"]["minutes"] == 30.0
    assert record.environment["cores"] == 2
    assert record.prompts == ("Once upon a time", "")
    assert [len(record.samples_of(prompt)) for prompt in record.prompts] == [12, 12]
    assert record.outcome.stopped == "budget"
    assert record.result is record.latest is record.outcome
    assert [note.text for note in record.notes] == ["the weights are averaged"]
    assert record.curve == record.valid


def test_a_half_finished_run_reads_up_to_the_line_that_was_cut(half):
    record = read_run(half)
    assert record.outcome is None
    assert record.result is record.valid[-1]
    assert len(record.samples) == 10


def test_only_metrics_are_needed(tmp_path):
    append(tmp_path, "metrics.jsonl", VALID)
    record = read_run(tmp_path)
    assert (record.recipe, record.environment, record.samples, record.train) == ({}, {}, (), ())
    assert record.latest.step == 10


def test_a_resumed_run_counts_the_later_telling(tmp_path):
    done = {**VALID, "event": "done", "step": 30, "bytes_per_second": 5, "peak_memory_mb": None, "stopped": "interrupted"}
    append(tmp_path, "metrics.jsonl", VALID, {**VALID, "step": 20}, {**VALID, "step": 30}, done, {**VALID, "step": 20, "val_bpb": 3.0})
    record = read_run(tmp_path)
    assert [(point.step, point.val_bpb) for point in record.valid] == [(10, 4.0), (20, 3.0)]
    assert record.outcome is None


def test_what_is_not_a_number_is_no_point_of_the_curve(tmp_path):
    append(tmp_path, "metrics.jsonl", VALID, {**VALID, "step": 20, "val_bpb": math.nan}, {**VALID, "step": 30, "val_bpb": None})
    record = read_run(tmp_path)
    assert [point.step for point in record.curve] == [10]
    assert math.isnan(record.result.val_bpb)


@pytest.mark.parametrize("line", ['{"event": "valid"', "[1]", '{"event": "valid", "step": 1}', json.dumps({**VALID, "val_bpb": "4"})])
def test_a_broken_line_is_left_out_and_told(tmp_path, line):
    append(tmp_path, "metrics.jsonl", VALID)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(line + "\n")
    record = read_run(tmp_path)
    assert [point.step for point in record.valid] == [10]
    assert [note.text.partition(":")[0] for note in record.notes] == ["a damaged line was left out"]


def test_what_is_not_a_run_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TavuError, match=r"gone does not exist, expected a run folder\. Name the folder that `tavu train` wrote\."):
        read_run(tmp_path / "gone")
    with pytest.raises(TavuError, match=r"file is a file, expected a run folder\."):
        read_run(tmp_path / "file")
    with pytest.raises(TavuError, match=r"holds no metrics\.jsonl, expected a run folder\."):
        read_run(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"event": "tra')
    with pytest.raises(TavuError, match=r"metrics\.jsonl holds no measurement yet\. Let the training run a little longer"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "name, text, reason",
    [
        ("recipe.toml", "[model", "is not TOML"),
        ("environment.json", '{"cores": ', "is not JSON"),
        ("environment.json", "[]", "is list, expected an object"),
    ],
)
def test_a_broken_table_is_told(finished, name, text, reason):
    (finished / name).write_text(text)
    with pytest.raises(TavuError, match=rf"{re.escape(name)} {reason}.*Restore the file, or delete it"):
        read_run(finished)


@given(cut=st.integers(min_value=0, max_value=2000))
def test_a_kill_at_any_byte_leaves_a_run_that_reads(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("cut")
    rows = [{**VALID, "step": step} for step in range(1, 20)]
    whole = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "metrics.jsonl").write_bytes(whole[: max(len(whole) - cut, len(whole) // 19)])
    assert 1 <= len(read_run(folder).valid) <= 19
