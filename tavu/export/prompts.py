"""What a model reads around a prompt (generation/reads.py), written down for programs without Python."""

from typing import Any, get_args

from tavu.config import INSIST, RecordKind
from tavu.data.records import LABELS, MARK, STORY
from tavu.generation import reads

_PLACE = b"\0"
"""Stands for the prompt, and is in no text of reads.py."""


def around_prompt(kind: RecordKind | None) -> tuple[bytes, bytes]:
    r"""What the model reads before and after a prompt that is not empty, for a model fine-tuned on records of this kind.

    >>> around_prompt("chat")
    (b'User: ', b'\nAssistant:\xff\n')
    """
    before, _, after = reads.of_prompt(_PLACE, kind).partition(_PLACE)
    return before, after


def reads_as_json() -> dict[str, Any]:
    """For tavu.js: what is around a prompt by kind of records, and the parts of a story request; bytes as Latin-1."""
    around = {kind: [part.decode("latin-1") for part in around_prompt(kind)] for kind in get_args(RecordKind)}
    return {"around": around, "labels": LABELS, "story": STORY, "mark": MARK.decode("latin-1"), "insist": INSIST}
