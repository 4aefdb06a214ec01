"""tavu synthesize: texts by a large model -> records to train a small one on."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tavu.synthesis.languages import Profile
    from tavu.synthesis.prompts import Plan
    from tavu.synthesis.run import Status

NUM_SHOWN, NUM_TALES = 3, 1000
LINE_SECONDS = 15.0
"""Time between two lines of progress without a terminal."""


def synthesize(
    endpoint: Annotated[str, typer.Option(metavar="URL", help="An endpoint with OpenAI's API, e.g. http://localhost:11434/v1 (Ollama).")],
    model: Annotated[str, typer.Option(metavar="NAME", help="The model to ask, by the endpoint's name for it.")],
    out: Annotated[Path, typer.Option(help="The .jsonl file to write. If it was begun before, it is continued.")],
    count: Annotated[int, typer.Option(help="How many texts to keep.")] = 1000,
    language: Annotated[
        str, typer.Option(help="The language of the texts: a code such as fi, or an English name. Other than English needs --words-from or --words.")
    ] = "en",
    words_from: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Text in the language: its content words are asked for, and the language is checked against it."),
    ] = None,
    words: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The words to ask for: one a line, or a .toml with lists of verbs, nouns, adjectives.")
    ] = None,
    subject: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .toml with text (what is wanted) and topics (a list), instead of children's stories.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the requests.")] = 0,
    temperature: Annotated[float, typer.Option(help="The sampling temperature of the large model.")] = 1.0,
    concurrency: Annotated[int, typer.Option(help="How many requests to have under way at once.")] = 8,
    min_bytes: Annotated[int, typer.Option(help="Reject shorter texts.")] = 200,
    max_bytes: Annotated[int, typer.Option(help="Reject longer texts.")] = 3000,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for an answer before asking again.")] = 300.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show three requests and what the whole will cost, and ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Have a large model write texts to train on: varied, checked, and as records.

    Works with Ollama, llama.cpp, vLLM or a cloud service. The key, if one is needed, is read from OPENAI_API_KEY. Ctrl-C keeps all texts so far; the
    same command continues.

    Example: tavu synthesize --endpoint http://localhost:11434/v1 --model llama3.1 --count 10000 --out stories.jsonl
    """
    import asyncio
    import hashlib
    import json
    import shlex

    from tavu.cli.json_line import print_json_line
    from tavu.errors import TavuError
    from tavu.files import check_writable
    from tavu.synthesis.checks import Limits
    from tavu.synthesis.endpoint import BYTES_PER_TOKEN, Endpoint
    from tavu.synthesis.languages import language_name
    from tavu.synthesis.ledger import Ledger
    from tavu.synthesis.prompts import draw, prompt
    from tavu.synthesis.run import Synthesis

    at_least = {"count": (count, 1), "concurrency": (concurrency, 1), "min-bytes": (min_bytes, 1), "max-bytes": (max_bytes, min_bytes)}
    for name, (value, least) in at_least.items():
        if value < least:
            raise TavuError(f"--{name} is {value}, expected {least:,} or more.")
    if not 0 <= temperature <= 2 or timeout <= 0:
        raise TavuError(f"--temperature is {temperature:g} and --timeout {timeout:g}, expected 0 to 2 and more than 0 seconds.")
    plan = _plan(language_name(language), words_from or [], words, subject, seed)
    if dry_run:
        requests = [prompt(plan, draw(plan, number)) for number in range(NUM_SHOWN)]
        num_bytes = sum(len(request.encode()) for request in requests) // NUM_SHOWN
        tokens = {"tokens_to_read": count * num_bytes // BYTES_PER_TOKEN, "most_tokens_to_write": count * max_bytes // BYTES_PER_TOKEN}
        if as_json:
            print_json_line({"requests": requests, **tokens})
            return
        print("\n\n".join(requests))
        read, written = tokens.values()
        print(f"\n{count:,} such requests: about {read:,} tokens to read, at most about {written:,} to write, and more for each rejected text.")
        return
    server = Endpoint(endpoint, model, temperature=temperature, max_tokens=max_bytes, timeout=timeout)
    check_writable(out, ".jsonl")
    profile = _profile(plan.language, words_from or [])
    digest = hashlib.blake2b(json.dumps([plan.digest(), model, temperature]).encode(), digest_size=8).hexdigest()
    ledger = Ledger(out, digest)
    with _shown() as show:
        synthesis = Synthesis(plan, ledger, Limits(min_bytes, max_bytes), profile, count, show)
        asyncio.run(synthesis.run(server, concurrency))
    status = synthesis.status
    share = status.now_kept / max(1, status.now_kept + status.now_rejected)
    if as_json:
        tokens = {"tokens_read": status.tokens_read, "tokens_written": status.tokens_written, "tokens_are_counted": status.tokens_are_counted}
        about = {"out": str(out), "kept": status.kept, "rejected": dict(status.rejects), "kept_share": share, "seconds": status.seconds}
        print_json_line(about | tokens)
        return
    print(f"{out}: {status.kept:,} texts, {100 * share:.0f} % of those written in this run. The rejected ones are in {ledger.rejected_file}.")
    print(f"Next: tavu train {shlex.quote(str(out))} --records, or without --records to train on the texts alone.")


def _plan(language: str, words_from: list[str], words: Path | None, subject: Path | None, seed: int) -> "Plan":
    """What is asked for."""
    from tavu.errors import TavuError
    from tavu.synthesis import words as word_lists
    from tavu.synthesis.prompts import Plan, read_subject

    wanted = read_subject(subject) if subject else None
    if words:
        lists = word_lists.from_file(words)
    elif words_from:
        lists = word_lists.from_text(_texts(words_from), words_from[0])
    elif wanted:
        lists = None
    elif language == "English":
        lists = word_lists.english()
    else:
        raise TavuError(f"There are no words for {language}, only for English. Give text with --words-from SOURCE, or a list with --words FILE.")
    return Plan(language, lists, wanted, seed)


def _profile(language: str, words_from: list[str]) -> "Profile | None":
    """How text in the language looks: by the user's text, for English else by the built-in tales. Says so if there is neither."""
    from tavu.data.tales import tell_many
    from tavu.synthesis.languages import profile_of

    if words_from:
        return profile_of(_texts(words_from))
    if language == "English":
        return profile_of(tale.text for tale in tell_many(0, NUM_TALES))
    print(f"The language of the texts is not checked. To have it checked, give text in {language} with --words-from SOURCE.", file=sys.stderr)
    return None


def _texts(sources: list[str]) -> Iterator[str]:
    """The documents of the sources."""
    from tavu.config import DataConfig
    from tavu.data.sources import SourceReport, read_documents

    for source in sources:
        for document in read_documents(source, DataConfig(), SourceReport()):
            yield document.decode()


@contextmanager
def _shown() -> "Iterator[Callable[[Status], None]]":
    """A function that shows the status: live on a terminal, else as a line every few seconds; the last status at the end. All on stderr."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    last: list[Status] = []
    shown_at = time.monotonic()

    def show(status: "Status") -> None:
        nonlocal shown_at
        last[:] = [status]
        if live is not None:
            live.update(_line(status), refresh=True)
        elif time.monotonic() - shown_at > LINE_SECONDS:
            shown_at = time.monotonic()
            print(_line(status), file=sys.stderr, flush=True)

    live = Live("", console=console, auto_refresh=False) if console.is_terminal else None
    try:
        with live or nullcontext():
            yield show
    finally:
        if live is None and last:
            print(_line(last[0]), file=sys.stderr, flush=True)


def _line(status: "Status") -> str:
    """The status in words."""
    rate = 60 * status.now_kept / status.seconds if status.seconds > 0 else 0.0
    about = "" if status.tokens_are_counted else "about "
    parts = [
        f"{status.kept:,} of {status.wanted:,} texts",
        f"{rate:.1f} a minute",
        f"{about}{status.tokens_read:,} tokens read and {status.tokens_written:,} written",
    ]
    if status.seconds_left is not None and status.kept < status.wanted:
        parts.append(f"{timedelta(seconds=round(status.seconds_left))} left")
    if status.rejects:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in status.rejects.most_common())
        parts.append(f"{status.rejects.total():,} rejected ({reasons})")
    if status.waiting_for:
        parts.append(status.waiting_for)
    return "; ".join(parts)
