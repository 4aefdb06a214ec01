"""What README and docs name is there: verbs, options, settings, presets and files; and what they measure was measured."""

import functools
import re

import pytest
import typer

from tavu.cli.main import app
from tavu.errors import TavuError
from tavu.recipe import override, preset_names, read_preset, to_recipe
from tests.docs.pages import ROOT, read_pages

VERBS = typer.main.get_command(app).commands
OPTIONS = {option for command in VERBS.values() for param in command.params for option in param.opts} | {"--help", "--traceback", "--version"}
PAGES = read_pages()
README = PAGES[0]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code_in(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


@each_page
def test_verbs_and_options_are_there(page):
    for code in code_in(page.prose):
        if found := re.match(r"tavu ([a-z][a-z-]*)", code):
            assert found[1] in VERBS, code
        if code.startswith(("tavu ", "--")):
            for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", code):
                assert option in OPTIONS, code


@each_page
def test_settings_and_presets_are_there(page):
    for code in code_in(page.prose):
        for name, value in re.findall(r"\b((?:model|data|train|sample|distill)\.[a-z_0-9.]*[a-z_0-9])(?:=(\S+))?", code):
            if not re.search(r"\.(txt|toml|jsonl|safetensors|bin)$|\.train|\.load", name) and "tavu." not in code:
                assert any(_is_setting(name, value, preset) for preset in preset_names()), code
        for preset in re.findall(r"--preset (\S+)", code):
            assert preset in preset_names() or preset.endswith(".toml"), code
        if code.startswith(("words-", "megabyte")):
            assert code in preset_names(), code


def _is_setting(name: str, value: str, preset: str) -> bool:
    tables = read_preset(preset) | {"distill": {"teachers": ["teacher"]}}
    try:
        to_recipe(override(tables, [f"{name}={value or 'x'}"]))
    except TavuError as error:
        return not value and "There is no" not in str(error) and "not a place" not in str(error)
    return True


@each_page
def test_files_that_are_named_are_there(page):
    for code in code_in(page.prose):
        if re.fullmatch(r"(tavu|benchmarks|packaging|records|docs|tests)/[\w./-]*", code):
            assert (ROOT / code).exists(), code
        for script in re.findall(r"benchmarks/\w+\.py", code):
            assert (ROOT / script).exists(), code


@functools.cache
def measured() -> list[float]:
    """All numbers of records/."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "records").iterdir() if path.suffix in (".md", ".json")]
    return [float(number.replace(",", "")) for text in texts for number in re.findall(r"\d+(?:,\d{3})+(?!\d)|\d+\.\d+|\d+", text)]


@each_page
def test_figures_were_measured(page):
    """Each figure of bits per byte and of bytes a second is one of records/, or of what the page shows a command to have printed, rounded."""
    known = measured() + [float(number) for block in page.blocks for number in re.findall(r"\d+\.\d+", block.text)]
    prose = re.sub(r"\]\([^)]*\)", "]", page.prose)
    for number in re.findall(r"(?<![\d.,/])(\d\.\d{3,4})(?![\d.])", prose):
        decimals = len(number.partition(".")[2])
        assert any(abs(value - float(number)) <= 0.5001 * 10**-decimals for value in known), number
    for number in re.findall(r"(\d+,\d{3}) bytes/s", prose):
        value, step = int(number.replace(",", "")), 100 if number.endswith("00") else 1
        assert any(abs(value - one) <= step / 2 for one in known), number


def test_the_readme_is_short():
    assert len(README.text.split()) <= 900
    assert len(re.findall(r"^\|[ :|-]+\|$", README.text, re.MULTILINE)) == 1, "one table"


def test_what_the_readme_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)", README.text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_tree_of_the_readme_is_that_of_the_code():
    tree = next(block.text for block in README.blocks if block.language == "text" and "tavu/" in block.text)
    folders = {path.name for path in (ROOT / "tavu").iterdir() if path.is_dir() and path.name not in ("__pycache__",)}
    named = set(re.findall(r"(\w+)/", tree))
    assert folders <= named | {"models", "tavu"}, folders - named
    for line in tree.splitlines():
        path = line.split()[0] if line.split() else ""
        assert not path.endswith((".py", "/")) or (ROOT / path).exists() or (ROOT / "tavu" / path).exists(), line
