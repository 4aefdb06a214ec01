"""What a release is made of says the same everywhere."""

import re
import tomllib
from pathlib import Path

import tavu

ROOT = Path(__file__).parent.parent


def test_the_version_to_cite_is_that_of_the_code():
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)[1] == tavu.__version__


def test_the_workflow_calls_targets_and_tests_that_exist():
    workflow = (ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"make (\w+)", "\n".join(line.partition("#")[0] for line in workflow.splitlines()))
    assert targets and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
    for path in (*build["test-sources"], *re.findall(r"tests/\w+", build["test-command"])):
        assert (ROOT / path).exists(), path
