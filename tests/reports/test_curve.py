"""The curve on the page: where its points are, what they say, and what it is made of."""

import json
import math
import re

import pytest

from tavu.reports.curve import BOTTOM, HEIGHT, LEFT, MAX_DOTS, RIGHT, TOP, WIDTH, curve_of, milestone_id
from tavu.reports.report import write_report
from tavu.reports.run_folder import read_run


def test_points_lie_where_their_figures_say(finished):
    record = read_run(finished)
    for against in ("seconds", "bytes_seen"):
        points = curve_of(record, against).points
        assert len(points) == len(record.curve)
        for point, valid in zip(points, record.curve, strict=True):
            share = getattr(valid, against) / getattr(record.curve[-1], against)
            assert point.x == pytest.approx(LEFT + share * (WIDTH - LEFT - RIGHT), abs=0.1)
        bits = [math.log(valid.val_bpb) for valid in record.curve]
        for point, b in zip(points, bits, strict=True):
            share = (b - bits[0]) / (bits[-1] - bits[0])
            assert point.y == pytest.approx(points[0].y + share * (points[-1].y - points[0].y), abs=0.2)
        assert all(TOP <= point.y <= HEIGHT - BOTTOM for point in points)


def test_points_say_their_figures_and_lead_to_their_texts(finished):
    record = read_run(finished)
    curve = curve_of(record, "seconds")
    assert curve.points[-1].tooltip == "1.020 ± 0.011 bits per byte after 30 min, 110 MB read, step 1,674"
    steps = [sample.step for sample in record.samples_of("Once upon a time")]
    assert [point.link for point in curve.points if point.link] == [milestone_id(1, step) for step in steps]
    assert curve.title == "Validation bits per byte against minutes of training. 4.552 after 2.5 s, 1.020 after 30 min."
    assert [(note.x, note.tooltip) for note in curve.notes] == [(WIDTH - RIGHT, "30 min: the weights are averaged")]


def test_the_drawing_has_the_colors_and_letters_of_the_page_and_needs_nothing_else(finished):
    drawings = [str(curve_of(read_run(finished), against).drawing) for against in ("seconds", "bytes_seen")]
    for drawing in drawings:
        assert not re.search(r"#[0-9a-f]{6}\b(?!\")|font|<style|<metadata|xmlns|:href", drawing)
        ids = re.findall(r'id="(\w+)"', drawing)
        assert len(ids) == len(set(ids)) and set(re.findall(r'(?:href="|url\()#(\w+)', drawing)) <= set(ids)
        assert re.findall(r"<text[^>]*>([^<]*)</text>", drawing).count("blind guess") == 1
    assert not set(re.findall(r'id="(\w+)"', drawings[0])) & set(re.findall(r'id="(\w+)"', drawings[1]))


def test_a_long_run_keeps_its_page_short(finished):
    rows = [
        {"event": "valid", "step": 2000 + i, "seconds": 1800 + i, "bytes_seen": 10**8 + i, "val_bpb": 1 - i / 10**5, "standard_error": 0.01}
        for i in range(3000)
    ]
    with (finished / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    curve = curve_of(read_run(finished), "seconds")
    assert len(curve.points) <= MAX_DOTS + 12
    assert len(curve.drawing) < 200_000


@pytest.mark.parametrize(
    "changed",
    [
        {"seconds": math.inf},
        {"seconds": math.nan},
        {"seconds": 1e300, "bytes_seen": 10**300},
        {"val_bpb": 0.0},
        {"val_bpb": 1e300},
        {"val_bpb": math.inf},
        {"standard_error": math.inf},
        {"standard_error": 1e300},
        {"seconds": 0.0, "bytes_seen": 0},
    ],
)
def test_any_figures_are_drawn(finished, changed):
    row = {"event": "valid", "step": 9999, "seconds": 1900, "bytes_seen": 10**8, "val_bpb": 1.0, "standard_error": 0.01} | changed
    with (finished / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    write_report(finished)
    (finished / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    write_report(finished)
