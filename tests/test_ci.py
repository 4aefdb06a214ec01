"""Where TAVU_CI names what tests need (.ci/run), it is there: tests that are skipped without it are not skipped in CI."""

import os
from importlib.util import find_spec

from tavu.engine.native import is_built

PACKAGES = (
    "transformers",
    "fastapi",
    "uvicorn",
    "httpx",
    "openai",
    "huggingface_hub",
    "pyarrow",
    "playwright",
    "schemathesis",
    "hypothesis",
    "material",
    "ziglang",
    "websockets",
)


def test_what_ci_promises_is_there():
    promised = os.environ.get("TAVU_CI", "").split()
    assert set(promised) <= {"engine", "packages", "chromium"}
    if "engine" in promised:
        assert is_built(), "The native engine was not built: see what `python setup.py build_ext --inplace` prints."
    if "packages" in promised:
        missing = [name for name in PACKAGES if find_spec(name) is None]
        assert not missing, f"{', '.join(missing)}: not installed, which the dev extra should have done."
    if "chromium" in promised:
        from tests.serving.test_page import CHROMIUM

        assert CHROMIUM, "The tests of the page do not find the Chromium that is installed."
