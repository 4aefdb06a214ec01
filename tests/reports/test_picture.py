"""progress.png: the right size, not blank, quiet, and the wrapping of its texts."""

import io
import json
import struct
import sys
import warnings

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tavu.reports.picture import HEIGHT, WIDTH, _chosen, _wide, _wrapped, write_progress_png
from tavu.reports.run_folder import read_run


def picture_of(folder):
    path = folder / "progress.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_progress_png(read_run(folder), path)
    return path.read_bytes()


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]  # (HEIGHT, WIDTH, 3)


def test_the_picture_has_its_size_and_is_not_blank(finished):
    png = picture_of(finished)
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (WIDTH, HEIGHT) == (1600, 900)
    image = pixels(png)
    is_drawn = np.abs(image - image[0, 0]).max(axis=-1) > 0.2
    assert is_drawn[: HEIGHT // 2].mean() > 0.005, "the curve"
    for column in np.array_split(is_drawn[560:], 4, axis=1):
        assert column.mean() > 0.01, "a text"


def test_half_finished_and_early_runs_have_a_picture(half, tmp_path, write_run):
    early = write_run(tmp_path / "early", num_milestones=1, is_done=False)
    for folder in (half, early):
        assert pixels(picture_of(folder)).std() > 0.01
    (early / "samples.jsonl").unlink()
    assert pixels(picture_of(early)).std() > 0.005


def test_the_four_texts_are_the_first_two_between_and_the_last(finished):
    record = read_run(finished)
    chosen = _chosen(record)
    told = record.samples_of("Once upon a time")
    assert chosen == [told[0], told[4], told[7], told[11]]


@pytest.mark.parametrize("text", ["小さな狐 😀 a", "Жила-была лиса", "Äiti söi öljyä $x^2$ yöllä", "x" * 3000, "", "\n\n\n", "\x00\t\ud800\u202e"])
def test_any_text_is_drawn_without_a_warning(finished, text, capfd):
    with (finished / "samples.jsonl").open("a") as file:
        for prompt in ("Once upon a time", ""):
            file.write(
                json.dumps({"step": 9999, "seconds": 1801, "bytes_seen": 5, "val_bpb": None, "prompt": prompt, "text": text, "stopped": "length"})
                + "\n"
            )
    assert pixels(picture_of(finished)).std() > 0.01
    assert capfd.readouterr().err == ""


def test_pyplot_is_left_alone(finished):
    was_there = "matplotlib.pyplot" in sys.modules
    picture_of(finished)
    assert ("matplotlib.pyplot" in sys.modules) == was_there


@settings(max_examples=50)
@given(st.text(max_size=400), st.integers(min_value=1, max_value=8))
def test_no_line_is_wider_than_its_column(text, num_lines):
    lines = _wrapped([("Once upon a time", True), (text, False)], 340, num_lines)
    assert 1 <= len(lines) <= num_lines
    for line in lines:
        assert sum(_wide(run) for run in line if not run[0].isspace()) <= 340 + 18


def test_wrapping_keeps_the_words_in_order():
    lines = _wrapped([("Once", True), (" there was a\n\nfox", False)], 160, 5)
    assert lines == [[("Once", True), (" there was ", False)], [("a", False)], [("fox", False)]]
    assert _wrapped([("", True), ("one\ntwo\nthree", False)], 300, 2) == [[("one", False)], [("two…", False)]]
