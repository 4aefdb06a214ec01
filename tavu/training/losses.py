"""Loss functions: the mean cross-entropy of ids, in nats.

Shapes: B rows of a batch, T ids of a row, V ids.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.data.records import MARK
from tavu.model.words.cut import documents
from tavu.vocabulary import MARK_ID

Loss = Callable[[Tensor, Tensor], Tensor]


def next_id_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cross-entropy of the ids in nats. Shapes: logits (B, T, V), ids (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1), ids.flatten())


def completion_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cross-entropy in nats of completions and of documents that are no records (data/records.py). Shapes: logits (B, T, V), ids (B, T)."""
    learned = ~in_prompt(ids)
    nats = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
    return (nats * learned.flatten()).sum() / learned.sum().clamp(min=1)


def in_prompt(ids: Tensor) -> Tensor:
    """Whether each id is in the prompt of a record, its mark included. A record whose mark is cut off has no prompt. Shapes: ids, result (B, T)."""
    B, T = ids.shape
    document, _ = documents(ids)
    mark_end = torch.where(ids == MARK_ID, torch.arange(T, device=ids.device) + len(MARK), 0)
    prompt_end = torch.zeros(B, T + 1, dtype=torch.long, device=ids.device).scatter_reduce_(1, document, mark_end, "amax").gather(1, document)
    return torch.arange(T, device=ids.device) < prompt_end
