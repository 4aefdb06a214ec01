"""The command line as a whole: fast help, and one sentence for every usage error."""

import os
import subprocess
import sys

import pytest

VERBS = (
    "train",
    "generate",
    "evaluate",
    "info",
    "report",
    "instruct-data",
    "finetune",
    "quantize",
    "serve",
    "explain",
    "chat",
    "presets",
    "push",
    "sweep",
)


def test_help_lists_every_verb_and_is_shown_without_arguments(tavu):
    status, out, err = tavu("--help")
    assert (status, err) == (0, "") and "Start with: tavu train stories.txt" in out
    for verb in VERBS:
        assert f"│ {verb} " in out
    assert tavu() == (0, out, "")
    assert [panel for panel in ("Train", "Write", "Measure") if f"─ {panel} ─" in out] == ["Train", "Write", "Measure"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_shows_one_real_example(tavu, verb):
    status, out, err = tavu(verb, "--help")
    assert (status, err) == (0, "")
    assert out.count("Example: ") == 1 and f"Example: tavu {verb} " in out
    assert ("--json" in out) == (verb != "chat")


def test_version(tavu):
    status, out, _ = tavu("--version")
    assert status == 0 and out.startswith("tavu 0.")
    as_module = subprocess.run([sys.executable, "-m", "tavu", "--version"], capture_output=True, text=True)
    assert (as_module.returncode, as_module.stdout) == (0, out)


def test_help_and_import_load_nothing_heavy():
    program = """
import sys, tavu
from tavu.cli.main import main
for arguments in ([], ["--help"], *([verb, "--help"] for verb in ("train", "generate", "evaluate", "info", "report"))):
    sys.argv = ["tavu", *arguments]
    try: main()
    except SystemExit as ended: assert not ended.code
heavy = {"torch", "numpy", "matplotlib", "safetensors", "zstandard"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("trian", "No such command 'trian'. Did you mean 'train'? See `tavu --help`."),
        ("stories.txt", "No such command 'stories.txt'. See `tavu --help`."),
        ("train a.txt --minute 3", "No such option: --minute (Possible options: --minutes, --out). See `tavu train --help`."),
        ("--traceabck info", "No such option: --traceabck (Possible options: --traceback). See `tavu --help`."),
        ("train a.txt --minutes soon", "Invalid value for '--minutes': "),
        ("train --minutes", "Option '--minutes' requires an argument. See `tavu train --help`."),
        ("generate", "Missing argument 'model'. See `tavu generate --help`."),
        ("generate model Once upon a time", "Got unexpected extra argument(s) (upon a time). See `tavu generate --help`."),
        ("evaluate model", "Missing argument 'source'. See `tavu evaluate --help`."),
    ],
)
def test_a_wrong_command_gets_one_sentence(refused, command, sentence):
    assert refused(*command.split()).startswith(sentence)


@pytest.mark.parametrize("command", ["--traceback info nowhere", "info nowhere --traceback", "info --traceback nowhere"])
def test_traceback_works_in_any_position(tavu, command):
    status, out, err = tavu(*command.split())
    assert (status, out) == (2, "")
    assert err.startswith("Traceback") and "find_model" in err and err.splitlines()[-1].startswith("tavu: There is no model 'nowhere'.")


def test_a_closed_pipe_is_not_an_error(process):
    reading, writing = os.pipe()
    os.close(reading)
    with process("--version", stdout=writing) as ended:
        assert ended.communicate()[1] == b""
    os.close(writing)
    assert ended.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_standard_output_on_a_full_disk(process):
    with open("/dev/full", "w") as full, process("--version", stdout=full) as ended:
        assert ended.communicate()[1] == b"tavu: Standard output: No space left on device. Add --traceback to see where in the code.\n"
    assert ended.returncode == 2
