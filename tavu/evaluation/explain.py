"""What a model expected at each byte of a text, how much it was surprised, and what it looked back at.

What the interpretability section of TinyStories (Eldan and Li 2023, arXiv 2305.07759, section 5) does by hand: for intuition, not for proof.
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
NUM_LOOKED_AT = 3
SHARED_N = 3


@dataclass(frozen=True)
class ByteExplained:
    """One byte, or the END after the last."""

    id: int
    bits: float
    candidates: tuple[tuple[int, float], ...]
    """The likeliest ids with their probabilities."""
    begins_patch: bool


@dataclass(frozen=True)
class PatchExplained:
    """One patch: which bytes it has, and at which patches before it the global model looked most when it foretold it, with their shares."""

    start: int
    stop: int
    looked_at: tuple[tuple[int, float], ...]
    """(number of a patch, share), the mean over layers and heads; -1 is nothing, as before the first patch."""


@dataclass(frozen=True)
class Nearest:
    """The training story that shares most runs of SHARED_N words with a text, and which share of them."""

    text: str
    share: float


@dataclass(frozen=True)
class Explanation:
    text: bytes
    num_given: int
    """The first so many bytes were given, the others the model wrote."""
    bytes: tuple[ByteExplained, ...]
    patches: tuple[PatchExplained, ...]
    nearest: Nearest | None


@torch.inference_mode()
def explain(model: Model, text: bytes, num_given: int, train_documents: Iterable[bytes] = ()) -> Explanation:
    """Read a text with a model. Raises TavuError when it is empty, or longer than the context."""
    longest = model.config.max_seq_len - 2
    if not 0 < len(text) <= longest:
        raise TavuError(f"The text has {len(text):,} bytes, expected 1 to {longest:,}: what the model can read at once. Give another --prompt.")
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
    """Places are those of the text, one less than in ids."""
    attention = model.global_attention(ids).mean(0)  # row k foretells patch k; column j stands for patch j - 1, the last that it has read
    patches = []
    for k, (start, stop) in enumerate(zip(starts, [*starts[1:], ids.size(1)], strict=True)):
        top = attention[k, : k + 1].topk(min(NUM_LOOKED_AT, k + 1))
        looked = tuple((int(j) - 1, float(share)) for j, share in zip(top.indices, top.values, strict=True))
        patches.append(PatchExplained(max(0, start - 1), stop - 1, looked))
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
