"""Loss functions: the mean cross-entropy of ids, in nats.

Shapes: B rows of a batch, T ids of a row, V ids, N teachers, k stored ids of a soft target
(distillation/targets.py).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.data.records import MARK
from tavu.model.words.cut import documents
from tavu.vocabulary import MARK_ID

Loss = Callable[..., Tensor]
"""From logits (B, T, V), ids (B, T) and the batch's other tensors, if it has any, to a mean in nats."""


def next_id_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cross-entropy of the ids in nats. Shapes: logits (B, T, V), ids (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1), ids.flatten())


def completion_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cross-entropy in nats of completions and of documents that are no records (data/records.py). Shapes: logits (B, T, V), ids (B, T)."""
    learned = ~in_prompt(ids)  # their number: num_learned
    nats = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
    return (nats * learned.flatten()).sum() / learned.sum().clamp(min=1)


def distillation_loss(
    logits: Tensor,
    ids: Tensor,
    target_ids: Tensor,
    target_log_probs: Tensor,
    *,
    frequencies: Tensor,
    text_loss: Loss,
    share: float,
    temperature: float,
    as_records: bool,
) -> Tensor:
    """`share` of the cross-entropy against the mean of the teachers, and the rest of text_loss, in nats (Hinton et al. 2015, arXiv 1503.02531).

    With a temperature, both distributions are flattened by it, and the cross-entropy is scaled by its square (their section 2.1). With records only
    completions count. Shapes: logits (B, T, V), ids (B, T), target_ids and target_log_probs (B, T, N, k), frequencies (V,).
    """
    targets = mean_distribution(target_ids, target_log_probs, frequencies.to(logits.device))
    if temperature != 1:
        targets = (targets.log() / temperature).softmax(-1)
    nats = F.cross_entropy((logits.float() / temperature).flatten(0, 1), targets.flatten(0, 1), reduction="none") * temperature**2
    learned = ~in_prompt(ids).flatten() if as_records else torch.ones_like(nats)
    return share * (nats * learned).sum() / learned.sum().clamp(min=1) + (1 - share) * text_loss(logits, ids)


def mean_distribution(ids: Tensor, log_probs: Tensor, frequencies: Tensor) -> Tensor:
    """The mean of several teachers' distributions. What they leave of 1 is spread over all ids by their frequencies in the text.

    Shapes: ids and log_probs (B, T, N, k), frequencies (V,), which sum to 1, result (B, T, V) float32.

    >>> both = mean_distribution(torch.tensor([[[[3], [3]]]]), torch.tensor([[[[0.5], [0.25]]]]).log(), torch.full((257,), 1 / 257))
    >>> [round(p, 4) for p in (both[0, 0, 3].item(), both[0, 0, 4].item(), both.sum().item())]     # two teachers, one id of each
    [0.3774, 0.0024, 1.0]
    """
    probs = log_probs.float().exp().flatten(-2) / ids.size(-2)
    rest = (1 - probs.sum(-1, keepdim=True)).clamp(min=0)
    return (rest * frequencies).scatter_add(-1, ids.flatten(-2).long(), probs)


def num_learned(ids: Tensor, *, as_records: bool) -> int:
    """The number of ids that the mean of completion_loss is over, or of all ids (B, T), where they are no records."""
    return int((~in_prompt(ids)).sum()) if as_records else ids.numel()


def in_prompt(ids: Tensor) -> Tensor:
    """Whether each id is in the prompt of a record, its mark included. A record whose mark is cut off has no prompt. Shapes: ids, result (B, T)."""
    B, T = ids.shape
    document, _ = documents(ids)
    mark_end = torch.where(ids == MARK_ID, torch.arange(T, device=ids.device) + len(MARK), 0)
    prompt_end = torch.zeros(B, T + 1, dtype=torch.long, device=ids.device).scatter_reduce_(1, document, mark_end, "amax").gather(1, document)
    return torch.arange(T, device=ids.device) < prompt_end
