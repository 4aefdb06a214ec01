"""tavu export: its answer and its refusals."""

import pytest

from tests.export.conftest import FORMAT

OUT = {"page": "story.html", "web": "story", "c": "story", "hf": "story"}
WITH_ENGINE = ["page", "web", "c"]
to = pytest.mark.parametrize("to", OUT)


@to
def test_an_export_says_where_it_is_and_how_to_try_it(tavu, answer, run_folder, tmp_path, to):
    told = answer("export", run_folder, "--to", to, "--out", tmp_path / "made" / OUT[to])
    out = tmp_path / "made" / OUT[to]
    size = sum(path.stat().st_size for path in [out, *out.rglob("*")] if path.is_file())
    assert told == {"to": to, "out": str(out), "num_bytes": size} and size > run_folder.joinpath("model.safetensors").stat().st_size
    status, text, _ = tavu("export", run_folder, "--to", to, "--out", tmp_path / OUT[to])
    assert status == 0 and text.startswith(f"{tmp_path / OUT[to]}: {size:,} bytes. ") and not [*tmp_path.glob(".*")]


def test_an_unknown_format(refused, tmp_path):
    assert refused("export", "stories", "--to", "onnx", "--out", tmp_path / "x").startswith("to is 'onnx', expected ")


@to
def test_nothing_is_replaced(refused, tmp_path, to):
    (tmp_path / "a").write_text("mine")
    assert refused("export", "stories", "--to", to, "--out", tmp_path / "a") == (
        f"{tmp_path / 'a'} is a file already, and export replaces nothing. Remove it, or give another name with --out."
    )
    assert "is a folder that is not empty already" in refused("export", "stories", "--to", to, "--out", tmp_path)
    assert (tmp_path / "a").read_text() == "mine" and len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize("to", WITH_ENGINE)
def test_a_model_that_the_engine_does_not_know(refused, tmp_path, to):
    file = FORMAT / "fixed-convolutions.safetensors"
    assert refused("export", file, "--to", to, "--out", tmp_path / "x") == (
        f"{file} cannot be exported in this format, which carries the native engine: it does not know conv_encoder, which this model has."
    )


@to
def test_a_place_that_cannot_be_written(refused, tmp_path, to, files_of_at_most):
    with files_of_at_most(100_000):
        assert "could not be written: " in refused("export", "stories", "--to", to, "--out", tmp_path / "x")
    assert not [*tmp_path.iterdir()]
    (tmp_path / "file").touch()
    assert "could not be written: " in refused("export", "stories", "--to", to, "--out", tmp_path / "file" / "x")
