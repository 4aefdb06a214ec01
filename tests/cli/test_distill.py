"""tavu distill and tavu train --teachers as a shell calls them."""

import json

import pytest


@pytest.fixture(scope="module")
def teacher(run_folder):
    return run_folder


def test_a_student_of_one_teacher(tavu, teacher, stories, small, tmp_path):
    """From the command to JSON, report and resume."""
    out = tmp_path / "student"
    command = ("distill", stories, "--teacher", teacher, "--steps", 10, "--out", out, *small)
    status, printed, err = tavu(*command, "--json")
    told = json.loads(printed.splitlines()[-1])
    assert status == 0 and told["steps"] == 10 and len(told["teacher_bpb"]) == 1 and told["teacher_bpb"][0] == pytest.approx(told["ensemble_bpb"])
    assert "Teacher 1 of 1, stories, reads the text.\nTeachers, in bits per byte of the validation text: stories " in err
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "Teachers, in bits per byte" in report and f"{told['teacher_bpb'][0]:.4f}" in report and "this student" in report
    status, printed, err = tavu("train", "--resume", out, "--steps", 12, "--json")
    assert status == 0 and json.loads(printed.splitlines()[-1])["teacher_bpb"] == told["teacher_bpb"] and "reads the text" not in err


def test_a_run_with_its_own_teachers(tavu, stories, small, tmp_path):
    status, printed, err = tavu("train", stories, "--teachers", 2, "--steps", 20, "--out", tmp_path / "run", *small, "--json")
    told = json.loads(printed.splitlines()[-1])
    assert status == 0 and len(told["teacher_bpb"]) == 2 and told["steps"] == 8
    assert "Teacher 1 of 2 trains." in err and "Teacher 2 of 2 trains." in err and "the mean of their distributions" in err
    assert err.count("Text: ") == 1


def test_what_it_refuses(refused, teacher, stories, tmp_path):
    assert refused("distill", stories, "--teacher", tmp_path / "nobody").startswith("There is no model ")
    assert refused("distill", stories) == "Missing option '--teacher'. See `tavu distill --help`."
    assert "is a model of text, expected one of raw bytes" in refused("distill", stories, "--teacher", teacher, "--bytes")
    assert refused("train", stories, "--teachers", 0).startswith("--teachers is 0, expected how many to train, 1 or more.")
    assert refused("distill", stories, "--teacher", teacher, "--set", "distill.share=2").startswith("distill.share is 2.0, expected 0 ")
