"""What programs without Python put around a prompt: the bytes of generation/reads.py, taken apart there where they can be written down."""

from tavu.config import RecordKind
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
