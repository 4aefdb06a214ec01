"""The site is built, strictly; its pages ask nothing of anywhere, and the reference holds all that there is."""

import doctest
import importlib
import os
import re
import subprocess
import sys

import pytest
import typer

pytest.importorskip("material", reason="mkdocs-material is not installed")

from tavu.cli.main import app
from tavu.engine import native
from tavu.recipe import preset_names, read_preset
from tests.docs.pages import ROOT

pytestmark = pytest.mark.skipif(not native.is_built(), reason="the native engine was not built: no C compiler")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site):
    pages = [*site.rglob("*.html")]
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="?([^" >]+)', text) + re.findall(r'<link [^>]*href="?([^" >]+)', text)
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text(encoding="utf-8")), style


def test_the_examples_in_its_code_are_true(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    assert doctest.testmod(importlib.import_module("reference_from_code.markdown")) == (0, 3)


def test_the_reference_has_every_verb_option_setting_and_path(site):
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    for verb, command in typer.main.get_command(app).commands.items():
        assert f"tavu {verb}" in commands
        for param in command.params:
            assert param.opts[0].startswith("-") is False or param.opts[0] in commands, (verb, param.opts)
    settings = (site / "reference/settings.html").read_text(encoding="utf-8")
    assert "train.batch_bytes" in settings and "0 to 0.5" in settings
    presets = (site / "reference/presets.html").read_text(encoding="utf-8")
    for name in preset_names():
        assert f'id="{name}"' in presets
        for key in read_preset(name)["model"].keys() - {"levels"}:
            assert f"model.{key}" in settings
    assert "/v1/chat/completions" in (site / "reference/http.html").read_text(encoding="utf-8")
    python = (site / "reference/python.html").read_text(encoding="utf-8")
    for name in ("tavu.train", "tavu.load", "LanguageModel.generate", "TavuError"):
        assert name in python
