"""tavu generate: only text on standard output; options are checked first."""

import io
import os
import re
import shutil
import signal
import sys
import time

import pytest

import tavu as package


def standard_input(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_it_writes_the_prompt_and_continues_it(tavu, run_folder):
    text = package.load(run_folder).generate("Once upon", max_bytes=60)
    assert len(text) > 3
    assert tavu("generate", run_folder, "Once upon", "--max-bytes", 60) == (0, f"Once upon{text}\n", "")
    assert tavu("generate", run_folder / "model.safetensors", "Once upon", "--max-bytes", 60)[1] == f"Once upon{text}\n"


def test_all_ways_to_give_a_prompt_are_equal(tavu, run_folder, tmp_path, monkeypatch):
    expected = tavu("generate", run_folder, "Äiti sanoi", "--max-bytes", 30)
    (tmp_path / "prompt.txt").write_bytes("Äiti sanoi".encode())
    assert tavu("generate", run_folder, "--prompt-file", tmp_path / "prompt.txt", "--max-bytes", 30) == expected
    standard_input(monkeypatch, "Äiti sanoi".encode())
    assert tavu("generate", run_folder, "-", "--max-bytes", 30) == expected
    assert tavu("generate", run_folder, "", "--max-bytes", 30) == tavu("generate", run_folder, "--max-bytes", 30)


def test_json(answer, run_folder):
    told = answer("generate", run_folder, "Once", "--max-bytes", 30)
    assert told.keys() == {"text", "num_bytes", "bytes_per_second", "stopped"}
    assert told["text"] == package.load(run_folder).generate("Once", max_bytes=30)
    assert told["num_bytes"] == len(told["text"].encode()) <= 30 and told["bytes_per_second"] > 0
    assert told["stopped"] in ("end", "length")
    assert answer("generate", run_folder, "Once", "--stop", told["text"][4:6])["stopped"] == "stop"


def test_several_texts(tavu, answer, run_folder):
    told = answer("generate", run_folder, "Once", "--max-bytes", 20, "--count", 3, "--seed", 5)
    alone = [answer("generate", run_folder, "Once", "--max-bytes", 20, "--seed", seed)["text"] for seed in (5, 6, 7)]
    assert [text["text"] for text in told["texts"]] == alone and told["text"] == alone[0]
    status, out, _ = tavu("generate", run_folder, "Once", "--max-bytes", 20, "--count", 3, "--seed", 5)
    assert (status, out) == (0, "\n---\n".join(f"Once{text}" for text in alone) + "\n")


def test_a_prompt_longer_than_the_context_gets_a_note(tavu, run_folder):
    status, out, err = tavu("generate", run_folder, "Once upon a time. " * 5, "--max-bytes", 10)
    assert status == 0 and out.startswith("Once upon a time. " * 5)
    assert err == "The prompt has 90 bytes, more than the context of 63: only the last 63 are used.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--count 0", "count is 0, expected 1 or more."),
        ("--temperature -1", "temperature is -1.0, expected 0 (always the likeliest byte) or more. Try 0.8."),
        ("--temperature nan", "temperature is nan, expected 0 (always the likeliest byte) or more. Try 0.8."),
        ("--top-p 2", "top_p is 2.0, expected above 0 and up to 1. Try 0.95, or leave it out."),
        ("--top-k 0", "top_k is 0, expected 1 or more. Leave it out to keep every byte."),
        ("--min-p 1", "min_p is 1.0, expected from 0 to below 1. Try 0.05, or leave it out."),
        ("--repetition-penalty 0.5", "repetition_penalty is 0.5, expected 1 (off) or more. Try 1.2."),
        ("--max-bytes 0", "max_bytes is 0, expected 1 or more. Try 2048."),
        ("--seed -1", "seed is -1, expected 0 or more."),
        ("--stop=", "stop has an empty string, expected at least one character in each. Leave it out."),
        ("--insist 2", "--insist favors the request, but there is none. Add --words, --features, --summary or --sentence."),
        ("--words oak --insist -1", "insist is -1.0, expected 0 (not at all) to 10. Try 1.5."),
        ("--words oak --insist nan", "insist is nan, expected 0 (not at all) to 10. Try 1.5."),
        ("--engine fast", "engine is 'fast', expected native or torch."),
        ("--device gpu", "--device is 'gpu', which this machine (or this build of torch) lacks. Expected auto, or one of cpu"),
        ("Once --prompt-file x", "The prompt is given twice, as an argument and as --prompt-file. Give one."),
        ("--prompt-file nowhere", "The prompt file nowhere cannot be read: No such file or directory. Check its name, or give the prompt itself"),
        ("--prompt-file /", "The prompt file / cannot be read: Is a directory."),
    ],
)
def test_wrong_options(refused, run_folder, arguments, sentence):
    assert refused("generate", run_folder, *arguments.split()).startswith(sentence)


def test_a_prompt_in_place_of_the_model_gets_a_list_of_models(refused, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("bears", "stories"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(run_folder / "model.safetensors", tmp_path / "runs" / name)
    here = "Runs here: runs/bears, runs/stories. Models that come with tavu: stories."
    assert refused("generate", "Once upon a time") == f"There is no model 'Once upon a time'. {here}"


def test_prompts_that_are_not_text(refused, run_folder, tmp_path, monkeypatch):
    (tmp_path / "latin").write_bytes("Hyvää".encode("latin-1"))
    assert refused("generate", run_folder, "--prompt-file", tmp_path / "latin") == (
        "The prompt is not UTF-8: byte 0xe4 at offset 3. Convert it, as `iconv -f latin1 -t utf-8` does."
    )
    standard_input(monkeypatch, "ä".encode()[:1])
    assert refused("generate", run_folder, "-").startswith("The prompt is not UTF-8: byte 0xc3 at offset 0.")
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where the shell closed it
    assert refused("generate", run_folder, "-").startswith("The prompt is `-`, but standard input is closed. Pipe a text into it:")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("options", [(), ("--count", 2)])
def test_a_console_that_cannot_show_a_character_gets_a_question_mark(tavu, run_folder, monkeypatch, encoding, options):
    text = "Äiti" + tavu("generate", run_folder, "Äiti", "--max-bytes", 30)[1][4:]
    console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", console)
    assert tavu("generate", run_folder, "Äiti", "--max-bytes", 30, *options)[::2] == (0, "")
    console.flush()
    assert console.buffer.getvalue().startswith(text.encode(encoding, errors="replace"))
    assert tavu("generate", run_folder, "Äiti", "--max-bytes", 30, "--json")[::2] == (0, "")


def test_a_terminal_sees_no_control_characters(tavu, run_folder, monkeypatch):
    plain = tavu("generate", run_folder, "\x1b[31mOnce", "--max-bytes", 40)[1]
    monkeypatch.setattr("tests.cli.test_generate.sys.stdout.isatty", lambda: True, raising=False)
    shown = tavu("generate", run_folder, "\x1b[31mOnce", "--max-bytes", 40)[1]
    assert plain.startswith("\x1b[31mOnce") and shown.startswith("\u241b[31mOnce")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)


def test_ctrl_c_ends_it_quietly(process, run_folder):
    with process("generate", run_folder, "--max-bytes", 10**9, "--temperature", 0, text=True, bufsize=0) as writing:
        assert os.read(writing.stdout.fileno(), 1)  # it has begun
        time.sleep(0.1)
        writing.send_signal(signal.SIGINT)
        assert writing.communicate()[1] == ""
    assert writing.returncode == 130


@pytest.mark.slow  # tests/cli/test_main.py has the same without a model
def test_a_closed_pipe_ends_it_quietly(process, run_folder):
    with process("generate", run_folder, "--max-bytes", 10**9, "--temperature", 0, bufsize=0) as writing:
        assert os.read(writing.stdout.fileno(), 1)
        writing.stdout.close()
        assert writing.stderr.read() == b""
    assert writing.returncode == 1


def test_without_a_compiler_torch_writes_the_same_with_a_warning(tavu, run_folder, monkeypatch):
    native = tavu("generate", run_folder, "Once", "--max-bytes", 40)
    monkeypatch.setattr("tavu.engine.native.library", lambda: None)
    status, out, told = tavu("generate", run_folder, "Once", "--max-bytes", 40)
    assert (status, out, "") == native
    assert told.startswith("Running with PyTorch, which is slower: the native engine was not built") and told.count("\n") == 1
