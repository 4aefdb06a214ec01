"""tavu generate: let a model write."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def generate(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    prompt: Annotated[str | None, typer.Argument(help="How the text begins; `-` reads it from standard input. Without one the model begins by itself.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="Read the prompt from a file.")] = None,
    max_bytes: Annotated[int, typer.Option(help="Stop after this many bytes at the latest.")] = 2048,
    temperature: Annotated[float, typer.Option(help="0 always takes the likeliest byte; higher is more daring.")] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="Draw from the K likeliest bytes only.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the likeliest bytes that hold this share of the probability.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Draw from bytes at least this fraction as likely as the likeliest.")] = None,
    repetition_penalty: Annotated[float, typer.Option(help="More than 1 discourages repeating longer runs of bytes.")] = 1.0,
    stop: Annotated[list[str] | None, typer.Option(help="Stop before this text; may be given several times.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
    count: Annotated[int, typer.Option(help="Write this many texts, with seeds SEED, SEED+1, ...")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line.")] = False,
) -> None:
    """Let a model write, going on from a prompt.

    Example: tavu generate runs/stories "Once upon a time" --temperature 0.7
    """
    from tavu.config import SamplingConfig, check
    from tavu.language_model import load
    from tavu.training.machine import pick_device

    check(count >= 1, "count", count, "1 or more.")
    config = SamplingConfig(temperature, top_k, top_p, min_p, repetition_penalty, max_bytes, seed, tuple(stop or ()))
    begin = _read_prompt(prompt, prompt_file)
    loaded = load(model, device=pick_device(device, "--device"))
    if not loaded.is_text:
        config = SamplingConfig(**asdict(config) | {"valid_utf8": False})
    context = loaded.network.config.max_seq_len - 1
    if len(begin) > context:
        print(f"The prompt has {len(begin):,} bytes, the model's context holds {context:,}: it reads the last {context:,}.", file=sys.stderr)

    if as_json or count > 1 or not loaded.is_text:
        written = loaded.write(begin, config, count=count)
        if as_json:
            texts = [{"text": w.text, "num_bytes": len(w.content), "bytes_per_second": w.bytes_per_second, "stopped": w.stopped} for w in written]
            print(json.dumps(texts[0] | ({"texts": texts} if count > 1 else {}), ensure_ascii=False))
            return
        for i, one in enumerate(written):
            if count > 1 and i:
                sys.stdout.write("\n---\n")
                sys.stdout.flush()
            sys.stdout.buffer.write(begin + one.content)
        if loaded.is_text:
            sys.stdout.buffer.write(b"\n")
        return
    from tavu.generation.writing import stream

    sys.stdout.buffer.write(begin)
    for piece in stream(loaded.network, begin, config):
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()


def _read_prompt(prompt: str | None, file: Path | None) -> bytes:
    """The prompt's bytes. Raises TavuError when it is given twice, or its file cannot be read."""
    from tavu.errors import TavuError

    if file is not None:
        if prompt is not None:
            raise TavuError("The prompt is given twice, as an argument and as --prompt-file. Give one.")
        try:
            return file.read_bytes()
        except OSError as error:
            raise TavuError(f"The prompt file {file} cannot be read: {error.strerror}.") from None
    if prompt == "-":
        return sys.stdin.buffer.read()
    return (prompt or "").encode(errors="surrogateescape")
