"""Every command and program in README and docs is run, in the order of its page, with tiny models and small budgets; or at least parsed."""

import ast
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import torch.distributed.run
import typer
import yaml

from tavu.cli.main import app
from tavu.engine import native
from tavu.recipe import override, preset_names, read_preset, to_recipe
from tests.cli.conftest import process, tavu  # noqa: F401
from tests.docs.pages import ROOT, Block, commands, read_pages
from tests.training.conftest import TINY

VERBS = typer.main.get_command(app).commands
OF_WORDS = ("word_rows", "pair_rows", "prefix_rows", "ngram", "phrase", "lexicon")
FEWER_TALES = {"tales": "tales:60", "tales:200": "tales:60", "tales:4-plots": "tales:1-plots"}
LONGER = itertools.count(21)
"""A budget in steps that is larger than any before."""
ADDRESS = "http://127.0.0.1:8000"
WITH_CODE = [page for page in read_pages() if page.blocks]


def small(preset: str | None, *, as_bytes: bool = False) -> list[str]:
    """The settings that make a training of a preset tiny."""
    is_words = preset in (None, "words", "words-large") and not as_bytes
    settings = [setting for setting in TINY if is_words or not any(part in setting for part in OF_WORDS)]
    settings += [] if is_words else ["model.levels.2.dim=16"] * (preset == "megabyte-3-levels")
    return [setting for setting in settings if not setting.startswith(("train.steps", "sample.prompts"))]


def without(arguments: list[str], *options: str) -> list[str]:
    """The arguments without some options and their values."""
    kept = [i for i, argument in enumerate(arguments) if argument not in options and (i == 0 or arguments[i - 1] not in options)]
    return [arguments[i] for i in kept]


def value_of(arguments: list[str], option: str) -> str | None:
    return arguments[arguments.index(option) + 1] if option in arguments else None


def tiny(arguments: list[str]) -> list[str]:
    """A command as it is run here: with a budget and a model of which it takes a moment."""
    verb, *rest = arguments
    plans_sweep = verb == "sweep" and not {"--list", "--resume"} & set(rest)
    if verb in ("train", "finetune", "distill") or plans_sweep:
        rest = without(rest, "--minutes", "--hours", "--steps")
        goes_on, preset = "--resume" in rest, value_of(rest, "--preset")
        settings = small(preset, as_bytes="--bytes" in rest)
        if verb == "finetune" or (preset or "").endswith(".toml"):
            settings = [setting for setting in settings if not setting.startswith("model.")]
        first = [] if goes_on else [word for setting in settings for word in ("--set", setting)]
        rest = [FEWER_TALES.get(argument, argument) for argument in rest]
        return [verb, *first, *rest, "--steps", str(next(LONGER) if goes_on else 2)]
    if verb == "generate" and "--max-bytes" not in rest:
        return [verb, *rest, "--max-bytes", "40"]
    if verb == "generate":
        return [verb, *without(rest, "--max-bytes"), "--max-bytes", "16"]
    if verb == "explain" and "--write" in rest:
        return [verb, *without(rest, "--write"), "--write", "20"]
    if verb == "evaluate" and "--stories" in rest:
        return [verb, *without(rest, "--count"), "--count", "2"]
    return arguments


def check_it_parses(arguments: list[str]) -> None:
    """Every verb, option, preset and setting is there, and the arguments are such as the verb takes."""
    verb, *rest = arguments
    VERBS[verb].make_context(f"tavu {verb}", list(rest))
    preset = value_of(rest, "--preset") or ("megabyte" if "--bytes" in rest else "words")
    settings = [value for option, value in zip(rest, rest[1:], strict=False) if option == "--set"]
    if verb in ("train", "finetune", "distill") and preset in preset_names():
        to_recipe(override(read_preset(preset), settings))


@pytest.fixture
def serve(process):  # noqa: F811
    """serve(arguments) -> the address of a server started with them; one at a time."""
    running: list[subprocess.Popen] = []

    def stop() -> None:
        while running:
            server = running.pop()
            server.terminate()
            server.communicate(timeout=30)

    def start(arguments: list[str]) -> str:
        stop()
        running.append(process(*without(arguments, "--host"), "--port", 0, "--json"))
        return json.loads(running[0].stdout.readline())["url"]

    yield start
    stop()


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_what_a_page_says_to_type_works(page, give, tavu, serve, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    for name in page.given:
        give(name, tmp_path)
    address = ADDRESS
    for block in page.blocks:
        if block.language == "python":
            run_program(block, page.name, address)
        if block.language == "yaml":
            check_containers(block)
        if block.language == "json":
            for line in block.text.splitlines():
                json.loads(line)
        for command in commands(block) if block.language == "sh" else ():
            words = shlex.split(command)
            if "torchrun" in words:
                run_in_several_processes(words[words.index("torchrun") + 1 :], block)
                continue
            if not words[0].endswith("tavu"):
                run_other(words, block, address)
                continue
            arguments = words[1 : words.index(">")] if ">" in words else words[1:]
            check_it_parses(arguments)
            if block.is_run and arguments[0] == "serve":
                address = serve(arguments) if native.is_built() else pytest.skip("the native engine was not built: no C compiler")
            elif block.is_run and ">" in words:
                with open(words[-1], "wb") as file:
                    subprocess.run([sys.executable, "-m", "tavu", *tiny(arguments)], stdout=file, check=True, timeout=60)
            elif block.is_run:
                status, _, err = tavu(*tiny(arguments))
                assert status == 0, f"{command}: {err}"


def run_in_several_processes(words: list[str], block: Block) -> None:
    """Check a command of torchrun, up to `-m tavu` and after it, and run it."""
    options, arguments = words[: words.index("tavu") + 1], words[words.index("tavu") + 1 :]
    parsed = torch.distributed.run.get_args_parser().parse_args(options)
    assert parsed.module and parsed.training_script == "tavu", words
    check_it_parses(arguments)
    if block.is_run:
        command = [sys.executable, "-m", "torch.distributed.run", *options, *tiny(arguments)]
        subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True, timeout=120)


def check_containers(block: Block) -> None:
    """The commands of all containers in a block of YAML can be parsed."""
    objects = list(yaml.safe_load_all(block.text))
    for thing in objects:
        objects += [value for value in (thing.values() if isinstance(thing, dict) else thing) if isinstance(value, (dict, list))]
        if isinstance(thing, dict) and "command" in thing:
            words = [re.sub(r"\$\(JOB_COMPLETION_INDEX\)", "0", word) for word in (*thing["command"], *thing["args"])]
            only_parsed = Block("sh", "", is_run=False)
            run_in_several_processes(words[1:], only_parsed) if words[0] == "torchrun" else check_it_parses(words[1:])


def run_program(block: Block, name: str, address: str) -> None:
    program = ast.unparse(ast.parse(block.text))
    if block.is_run:
        program = re.sub(r"minutes=\d+", f"steps=2, settings={small(None)!r}", program).replace(ADDRESS, address)
        exec(compile(program, name, "exec"), {"__name__": "__main__"})


def run_other(words: list[str], block: Block, address: str) -> None:
    """Run curl; what else is no command of tavu names only what is there."""
    if words[0] == "curl" and block.is_run and shutil.which("curl"):
        answer = subprocess.run([word.replace(ADDRESS, address) for word in words] + ["-s"], capture_output=True, check=True, timeout=60)
        assert "error" not in json.loads(answer.stdout), answer.stdout
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), words
    extras = re.search(r"\[project.optional-dependencies\](.*?)\n\[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.DOTALL)
    assert extras
    for word in words:
        if found := re.search(r"(?:tavu|^\.)\[([a-z,]+)\]$", word):
            assert all(f"\n{extra} = " in extras[1] for extra in found[1].split(",")), word
        if word.startswith(("packaging/", "benchmarks/")):
            assert (ROOT / word).exists(), word
