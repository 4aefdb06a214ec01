"""tavu generate: generate text with a model."""

import codecs
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from tavu.config import SamplingConfig


def generate(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    prompt: Annotated[
        str | None, typer.Argument(help="How the text begins; `-` reads it from standard input. Without one, the model writes the beginning too.")
    ] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="Read the prompt from a file.")] = None,
    words: Annotated[
        str | None,
        typer.Option(
            help="Words to use in the story, e.g. quit,oak,gloomy. Needs a model fine-tuned on stories.", rich_help_panel="Stories to order"
        ),
    ] = None,
    features: Annotated[str | None, typer.Option(help="Features of the story, e.g. Dialogue,Twist.", rich_help_panel="Stories to order")] = None,
    summary: Annotated[str | None, typer.Option(help="A summary of the story.", rich_help_panel="Stories to order")] = None,
    sentence: Annotated[str | None, typer.Option(help="A sentence that the story should contain.", rich_help_panel="Stories to order")] = None,
    insist: Annotated[
        float | None,
        typer.Option(
            help="How strongly to favor requested words that are still missing. 1: as strongly as in training.",
            show_default="1.5",
            rich_help_panel="Stories to order",
        ),
    ] = None,
    force_words: Annotated[
        bool,
        typer.Option("--force-words", help="Force every word into the story, at the most likely places; slower.", rich_help_panel="Stories to order"),
    ] = False,
    tries: Annotated[
        int | None,
        typer.Option(
            help="Maximum number of tries until the story has everything requested.",
            show_default="4; 1 with PyTorch",
            rich_help_panel="Stories to order",
        ),
    ] = None,
    best_of: Annotated[
        int, typer.Option(help="Write this many stories and print the one that best follows the request.", rich_help_panel="Stories to order")
    ] = 1,
    max_bytes: Annotated[int, typer.Option(help="Maximum length of the text, in bytes.", rich_help_panel="Sampling")] = SamplingConfig.max_bytes,
    temperature: Annotated[
        float, typer.Option(help="0 always takes the most likely byte; higher values are more random.", rich_help_panel="Sampling")
    ] = SamplingConfig.temperature,
    top_k: Annotated[int | None, typer.Option(help="Sample only from the K most likely bytes.", rich_help_panel="Sampling")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Sample only from the most likely bytes that together have this probability.", rich_help_panel="Sampling")
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Sample only from bytes with at least this fraction of the highest probability.", rich_help_panel="Sampling")
    ] = None,
    repetition_penalty: Annotated[
        float, typer.Option(help="Values above 1 discourage repeating earlier text.", rich_help_panel="Sampling")
    ] = SamplingConfig.repetition_penalty,
    stop: Annotated[list[str] | None, typer.Option(help="Stop before this text. Can be given several times.", rich_help_panel="Sampling")] = None,
    seed: Annotated[int, typer.Option(help="Random seed. The same seed gives the same text.")] = SamplingConfig.seed,
    count: Annotated[int, typer.Option(help="Write this many texts, with seeds SEED, SEED+1, ...")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.", rich_help_panel="Machine")] = "cpu",
    engine: Annotated[str | None, typer.Option(help="native or torch.", show_default="native if possible", rich_help_panel="Machine")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Generate text, continuing a prompt.

    Example: tavu generate runs/stories "Once upon a time" --temperature 0.7
    """
    from dataclasses import asdict

    from tavu.cli.json_line import print_json_line
    from tavu.cli.loading import load
    from tavu.cli.request import insist_for, read_request, refuse_unknown_features, tries_for
    from tavu.config import check
    from tavu.errors import TavuError
    from tavu.evaluation.obedience import obedience
    from tavu.generation.writing import stream
    from tavu.reports.wording import showable

    check(count >= 1, "count", count, "1 or more.")
    asked = {"words": words, "features": features, "summary": summary, "sentence": sentence}
    request = read_request({field: value for field, value in asked.items() if value is not None}, tries, best_of, force_words)
    insist_factor = insist_for(insist, request)
    config = SamplingConfig(temperature, top_k, top_p, min_p, repetition_penalty, max_bytes, seed, tuple(stop or ()), insist=insist_factor)
    begin = _read_prompt(prompt, prompt_file)
    loaded = load(model, device, engine)
    config = replace(config, used_bytes=loaded.used_bytes)
    refuse_unknown_features(request, loaded.facts)
    context = loaded.config.max_seq_len - 1
    if len(begin) > context:
        print(f"The prompt has {len(begin):,} bytes, more than the context of {context:,}: only the last {context:,} are used.", file=sys.stderr)

    if not loaded.is_text:
        config = replace(config, valid_utf8=False)
        if sys.stdout.isatty() and not as_json:
            raise TavuError("This model writes raw bytes, which a terminal cannot show. Write them to a file: tavu generate ... > out.bin")
    tries = tries_for(tries, request, best_of, loaded.engine)
    opening = _as_text(begin) if loaded.is_text and loaded.records in (None, "stories") else ""
    shown = showable if sys.stdout.isatty() else str  # the text of a barely trained model may contain terminal control codes

    if loaded.is_text and count == tries == best_of == 1 and not (force_words or as_json):
        read = loaded.read_for(begin) if request is None else loaded.read_before(request) + begin
        print(shown(opening), end="", flush=True)
        for piece in stream(loaded.writer, read, config):
            print(shown(piece), end="", flush=True)
        print()
        return
    if request is None:
        written = loaded.write(loaded.read_for(begin), config, count=count)
    else:
        written = loaded.write_to_order(request, config, opening=opening, count=count, tries=tries, best_of=best_of, force_words=force_words)
    if as_json:
        texts = [{"text": w.text, "num_bytes": len(w.content), "bytes_per_second": w.bytes_per_second, "stopped": w.stopped} for w in written]
        if request is not None:
            texts = [entry | {"obeyed": asdict(obedience(request, opening + entry["text"]))} for entry in texts]
        print_json_line(texts[0] | ({"texts": texts} if count > 1 else {}))
    elif loaded.is_text:
        print("\n---\n".join(shown(opening + one.text) for one in written))
    else:
        sys.stdout.buffer.write(b"".join(begin + one.content for one in written))


FLAGS = ("--json", "--force-words")


def with_dash_prompt_last(arguments: list[str]) -> list[str]:
    """The arguments, with a prompt that begins with a dash (as dialogue does in many languages) moved to the end, after a `--`.

    >>> with_dash_prompt_last(["generate", "stories", "- Hello, he said", "--seed", "3"])
    ['generate', 'stories', '--seed', '3', '--', '- Hello, he said']
    >>> with_dash_prompt_last(["generate", "stories", "--stop", "- Hello, he said"])
    ['generate', 'stories', '--stop', '- Hello, he said']
    """
    for before, argument in pairwise(arguments):
        is_a_value = before.startswith("-") and before not in FLAGS and "=" not in before
        if argument.startswith("-") and len(argument.split()) > 1 and not re.match("--[a-z]", argument) and not is_a_value and "--" not in arguments:
            return [*(other for other in arguments if other is not argument), "--", argument]
    return arguments


def _read_prompt(prompt: str | None, file: Path | None) -> bytes:
    """The bytes of the prompt. Raises TavuError if it is given twice or cannot be read."""
    from tavu.errors import TavuError

    if file is not None:
        if prompt is not None:
            raise TavuError("The prompt is given twice, as an argument and as --prompt-file. Give one.")
        try:
            return _without_byte_order_mark(file.read_bytes(), str(file))
        except OSError as error:
            advice = "Check its name, or give the prompt itself, in quotes."
            raise TavuError(f"The prompt file {file} cannot be read: {error.strerror}. {advice}") from None
    if prompt == "-":
        if sys.stdin is None:
            raise TavuError("The prompt is `-`, but standard input is closed. Pipe a text into it: echo Once | tavu generate MODEL -")
        return _without_byte_order_mark(sys.stdin.buffer.read(), "standard input")
    return (prompt or "").encode(errors="surrogateescape")


def _without_byte_order_mark(content: bytes, name: str) -> bytes:
    """The content without a UTF-8 byte order mark, which editors on Windows add."""
    from tavu.errors import TavuError

    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TavuError(f"The prompt in {name} is UTF-16, expected UTF-8. Convert it, as `iconv -f utf-16 -t utf-8` does.")
    return content.removeprefix(codecs.BOM_UTF8)


def _as_text(prompt: bytes) -> str:
    from tavu.errors import TavuError

    try:
        return prompt.decode()
    except UnicodeDecodeError as fault:
        where = f"byte 0x{prompt[fault.start]:02x} at offset {fault.start:,}"
        raise TavuError(f"The prompt is not UTF-8: {where}. Convert it, as `iconv -f latin1 -t utf-8` does.") from None
