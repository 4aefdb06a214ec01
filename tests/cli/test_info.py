"""tavu info and tavu report."""

import json
import re
import shutil

import pytest

import tavu as package
from tavu.recipe import preset_names


def test_the_parts_of_a_trained_model(tavu, run_folder):
    status, out, err = tavu("info", run_folder)
    assert (status, err) == (0, "")
    num_parameters = sum(parameter.numel() for parameter in package.load(run_folder).network.parameters())
    assert re.search(rf"^words +{num_parameters:,} ", out, re.MULTILINE)
    assert "Context 64 bytes." in out and f"File {(run_folder / 'model.safetensors').stat().st_size:,} bytes." in out
    assert "val_bpb: " in out and "Differs:" in out and "None" not in out


def test_json(answer, run_folder):
    told = answer("info", run_folder)
    assert told["num_parameters"] == sum(part["num_parameters"] for part in told["parts"])
    assert told["flops_per_byte"] > 0 and told["cache_bytes"] > 0 and told["max_seq_len"] == 64
    assert told["facts"]["step"] == 20 and told["facts"]["kind"] == "text"


@pytest.mark.parametrize("name", preset_names())
def test_presets(answer, name):
    assert answer("info", name)["num_parameters"] > 100_000


def test_a_model_that_is_not_there(refused, run_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert refused("info", "nowhere") == "There is no model 'nowhere'. Train one with `tavu train`. Models that come with tavu: stories."
    monkeypatch.chdir(run_folder.parent)
    assert refused("info", run_folder.parent) == (
        f"{run_folder.parent} has no model.safetensors. Name a run folder or a model file; `tavu train` puts them in runs/."
    )


def test_a_model_file_cut_short_or_of_another_program(refused, run_folder, stories, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((run_folder / "model.safetensors").read_bytes()[:50_000])
    assert refused("info", path).startswith(f"{path} is not a whole model file (")
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    assert refused("info", path).startswith(f"{path} is not a whole model file (")
    assert refused("info", stories).startswith(f"{stories} is not a whole model file (")
    state = run_folder / "state" / "training.safetensors"
    assert refused("info", state) == f"{state} was not written by tavu: it has no tavu config. Train a model with `tavu train`."


def test_a_report_is_regenerated(tavu, answer, run_folder, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    for name in ("report.html", "progress.png"):
        (copy / name).unlink()
    assert tavu("report", copy) == (0, f"{copy / 'report.html'}\n{copy / 'progress.png'}\n", "")
    assert (copy / "report.html").stat().st_size > 5000 and (copy / "progress.png").read_bytes().startswith(b"\x89PNG")
    assert answer("report", copy) == {"report": str(copy / "report.html"), "picture": str(copy / "progress.png")}


def test_a_report_without_a_run(refused, tmp_path):
    assert refused("report", tmp_path / "nowhere") == (
        f"{tmp_path / 'nowhere'} does not exist, expected a run folder. Name the folder that `tavu train` wrote."
    )
    assert refused("report", tmp_path).startswith(f"{tmp_path} holds no metrics.jsonl, expected a run folder.")


def test_a_run_folder_holds_strict_json(run_folder):
    def no_constant(name):
        raise AssertionError(name)

    for name in ("metrics.jsonl", "samples.jsonl"):
        for line in (run_folder / name).read_text(encoding="utf-8").splitlines():
            json.loads(line, parse_constant=no_constant)
