"""Explain a model's predictions: for each byte of a text the bits and the likeliest candidates, for each patch the attention to earlier ones.

Follows the interpretability section of TinyStories (Eldan and Li 2023, arXiv 2305.07759, section 5). It is meant for intuition and proves nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from tavu.data.records import split_document
from tavu.errors import TavuError
from tavu.evaluation.text_measures import ngrams, words_in_order
from tavu.evaluation.torch_scorer import id_bits
from tavu.model.interface import Model
from tavu.vocabulary import END

NUM_CANDIDATES = 5
NUM_ATTENDED = 3
SHARED_N = 3


@dataclass(frozen=True)
class ByteExplained:
    """One byte, or the END after the last byte."""

    id: int
    bits: float
    candidates: tuple[tuple[int, float], ...]
    """The likeliest ids with their probabilities."""
    begins_patch: bool


@dataclass(frozen=True)
class PatchExplained:
    """One patch: its range of bytes, and the earlier patches that the global model attended to most when it predicted this one."""

    start: int
    stop: int
    attended: tuple[tuple[int, float], ...]
    """(patch number, attention weight), averaged over layers and heads. -1 is the position before the first patch."""


@dataclass(frozen=True)
class Nearest:
    """The training story that shares the most SHARED_N-grams of words with a text, and the fraction of them it shares."""

    text: str
    share: float


@dataclass(frozen=True)
class Explanation:
    text: bytes
    num_given: int
    """The number of prompt bytes. The model wrote the rest."""
    bytes: tuple[ByteExplained, ...]
    patches: tuple[PatchExplained, ...]
    nearest: Nearest | None


@torch.inference_mode()
def explain(model: Model, text: bytes, num_given: int, train_documents: Iterable[bytes] = ()) -> Explanation:
    """Explain a text. Raises TavuError when it is empty, or longer than the context."""
    longest = model.config.max_seq_len - 2
    if not 0 < len(text) <= longest:
        raise TavuError(f"The text has {len(text):,} bytes, expected 1 to {longest:,}, the context of the model. Give another --prompt.")
    ids = torch.tensor([[END, *text, END]])
    logits = model(ids)
    bits = id_bits(logits, ids)[0].tolist()
    likeliest = logits[0].softmax(-1).topk(NUM_CANDIDATES)
    candidates = [tuple(zip(i, p, strict=True)) for i, p in zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)]
    starts = model.global_starts(ids)
    begins = [place in starts for place in range(ids.size(1))]
    read = tuple(ByteExplained(*row) for row in zip(ids[0].tolist(), bits, candidates, begins, strict=True))[1:]
    return Explanation(text, num_given, read, _patches(model, ids, starts), _nearest(text, train_documents))


def _patches(model: Model, ids: torch.Tensor, starts: Sequence[int]) -> tuple[PatchExplained, ...]:
    """Positions refer to the text, which is offset by one from ids."""
    attention = model.global_attention(ids).mean(0)  # row k predicts patch k; column j is the output after reading patch j - 1
    patches = []
    for k, (start, stop) in enumerate(zip(starts, [*starts[1:], ids.size(1)], strict=True)):
        top = attention[k, : k + 1].topk(min(NUM_ATTENDED, k + 1))
        attended = tuple((int(j) - 1, float(share)) for j, share in zip(top.indices, top.values, strict=True))
        patches.append(PatchExplained(max(0, start - 1), stop - 1, attended))
    return tuple(patches)


def _nearest(text: bytes, train_documents: Iterable[bytes]) -> Nearest | None:
    own = set(ngrams(words_in_order(text.decode(errors="replace")), SHARED_N))
    best, most = "", 0
    for document in train_documents if own else ():
        story = split_document(document)[1].decode(errors="replace")
        shared = len(own & set(ngrams(words_in_order(story), SHARED_N)))
        if shared > most:
            best, most = story, shared
    return Nearest(best, most / len(own)) if most else None
