"""Example prompts and requests for a model, in its own language: from the prompts of its run, or from text that it generates."""

import re

from tavu.config import SamplingConfig
from tavu.data.records import request_of
from tavu.errors import TavuError
from tavu.generation.writing import Writer, write
from tavu.reports.run_folder import read_run
from tavu.run_folder import MODEL
from tavu.stored_model import StoredModel

NUM_WORDS, OPENING_WORDS, LONGEST = 3, 5, 80
OWN_BYTES = 240
"""Length of the generated text from which example words are taken."""


def examples(stored: StoredModel, writer: Writer) -> dict[str, object]:
    """An `opening`, and the `words` and `summary` of a story request. Empty where there is no good example."""
    facts: dict[str, object] = {"opening": "", "words": [], "summary": ""}
    if stored.facts.get("kind") == "bytes":
        return facts
    prompts = [prompt for prompt in _prompts(stored) if prompt]
    if stored.records in ("chat", "prompts"):
        return facts | {"opening": _user_message(prompts[0]) if prompts else ""}
    own = _own_text(stored, writer)
    opening = " ".join(own.split()[:OPENING_WORDS])
    if stored.records != "stories":
        return facts | {"opening": (prompts[0] if prompts else opening)[:LONGEST]}
    requests = [request for request in map(request_of, prompts) if request]
    words = next((request.words for request in requests if request.words), None) or _longest_words(own)
    summary = next((request.summary for request in requests if request.summary), None) or _second_sentence(own)
    return {"opening": opening[:LONGEST], "words": [*words[:NUM_WORDS]], "summary": summary[:LONGEST]}


def _prompts(stored: StoredModel) -> tuple[str, ...]:
    """The prompts of the samples in its run folder."""
    if stored.file.name != MODEL:
        return ()
    try:
        return read_run(stored.file.parent).prompts
    except TavuError:  # the run folder is missing or damaged
        return ()


def _user_message(prompt: str) -> str:
    """The user's part of a prompt: the last turn of a conversation, or else the whole prompt.

    >>> _user_message("User: Hi.\\nAssistant: Hello!\\nUser: Who are you?\\nAssistant:")
    'Who are you?'
    """
    turns = re.findall(r"^User: (.*)$", prompt, re.MULTILINE)
    return (turns[-1] if turns else prompt)[:LONGEST]


def _own_text(stored: StoredModel, writer: Writer) -> str:
    """A greedy text of the model without a prompt; empty if the engine fails."""
    likeliest = SamplingConfig(temperature=0, max_bytes=OWN_BYTES, used_bytes=stored.used_bytes)
    try:
        return write(writer, b"", likeliest)[0].text
    except TavuError:
        return ""


def _second_sentence(text: str) -> str:
    """The second sentence of a text; empty if it has only one.

    >>> _second_sentence("Once there was a girl. She had a dog. They")
    'She had a dog.'
    """
    return ([found.strip() for found in re.findall(r"[^.!?\n]+[.!?]", text)] + ["", ""])[1]


def _longest_words(text: str) -> list[str]:
    """The longest lower-case words of a text, in text order.

    >>> _longest_words("Once there was a girl named Lily, who had a colorful balloon and a friendly dog.")
    ['colorful', 'balloon', 'friendly']
    """
    words = dict.fromkeys(word for word in re.findall(r"[^\W\d_]+", text) if word == word.lower())
    longest = sorted(words, key=len, reverse=True)[:NUM_WORDS]
    return [word for word in words if word in longest]
