"""tavu chat: chat with a model in the terminal."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tavu.config import SamplingConfig


def chat(
    model: Annotated[Path, typer.Argument(help="A model that was fine-tuned on records with messages.")],
    system: Annotated[str | None, typer.Option(help="A system message, put before the conversation.")] = None,
    max_bytes: Annotated[int, typer.Option(help="Maximum length of an answer, in bytes.")] = 1024,
    temperature: Annotated[
        float, typer.Option(help="0 always takes the most likely byte; higher values are more random.")
    ] = SamplingConfig.temperature,
    seed: Annotated[int, typer.Option(help="Random seed. The same seed gives the same answers.")] = 0,
) -> None:
    """Chat with a model. An empty line or Ctrl-D ends the chat.

    Example: tavu chat runs/assistant
    """
    from dataclasses import replace

    from tavu.errors import TavuError
    from tavu.generation.reads import latest_messages
    from tavu.generation.writing import stream
    from tavu.language_model import load
    from tavu.reports.wording import showable

    config = SamplingConfig(temperature=temperature, max_bytes=max_bytes, seed=seed)
    loaded = load(model)
    config = replace(config, used_bytes=loaded.used_bytes)
    if loaded.records != "chat":
        advice = "Fine-tune one: tavu finetune MODEL conversations.jsonl, with rows of messages"
        raise TavuError(f"{loaded.path} was not fine-tuned on conversations. {advice}. Or let this model continue a text with `tavu generate`.")
    first = [{"role": "system", "content": system}] if system else []
    turns: list[dict[str, str]] = []
    while message := _read_message():
        turns.append({"role": "user", "content": message})
        answer, context = "", latest_messages([*first, *turns], loaded.config.max_seq_len - 1)
        for piece in stream(loaded.writer, loaded.read_for_messages(context), config):
            answer += piece
            print(showable(piece) if sys.stdout.isatty() else piece, end="", flush=True)
        print()
        turns.append({"role": "assistant", "content": answer})
        config = replace(config, seed=config.seed + 1)


def _read_message() -> str:
    """The next line that the user types; empty at the end."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
