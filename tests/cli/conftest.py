"""The command line called in process, and the tiny runs that the tests use."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tavu.cli.main import main
from tests.training.conftest import TINY


@pytest.fixture
def tavu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """tavu("info", path) -> (exit status, standard output, standard error)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tavu", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def refused(tavu) -> Callable[..., str]:
    """refused("info", path) -> the error sentence, without `tavu: `."""

    def call(*arguments: object) -> str:
        status, out, err = tavu(*arguments)
        *before, sentence = err.splitlines()
        assert (status, out) == (2, ""), (status, out, err)
        assert sentence.startswith("tavu: ") and "Traceback" not in err and not [line for line in before if line.startswith("tavu: ")]
        return sentence.removeprefix("tavu: ")

    return call


@pytest.fixture
def answer(tavu) -> Callable[..., dict]:
    """answer("info", path) -> the result of --json: strict JSON on the last line of standard output."""

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    def call(*arguments: object) -> dict:
        status, out, err = tavu(*arguments, "--json")
        assert status == 0, err
        return json.loads(out.splitlines()[-1], parse_constant=no_constant)

    return call


@pytest.fixture(scope="session")
def process() -> Callable[..., subprocess.Popen]:
    """process("generate", path) -> tavu as a separate process, with pipes; options and `environment` go to Popen."""

    def start(*arguments: object, environment: dict[str, str] | None = None, **options) -> subprocess.Popen:
        command = [sys.executable, "-c", "from tavu.cli.main import main; main()", *map(str, arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {}), **options)

    return start


@pytest.fixture(scope="session")
def small() -> list[str]:
    """The --set options of a tiny run, without a budget."""
    return [word for setting in TINY if not setting.startswith(("train.steps", "train.minutes")) for word in ("--set", setting)]
