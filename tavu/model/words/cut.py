"""Where patches begin: at words, by the SpaceByte rule (Slagle 2024, arXiv 2404.14408, section 2).

A patch begins at the first byte after a run of letters and one non-letter, after an END, and after max_patch_size bytes of one patch. Letters are
ASCII letters and digits, and every byte from 128 on, so that words of any script hold together.

Shapes: B rows, T positions. All of it is causal: whether a patch begins at position t depends on ids[:, :t] alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.vocabulary import END, NUM_IDS

_IS_LETTER = torch.tensor([chr(i).isalnum() if i < 128 else i < 256 for i in range(NUM_IDS)], device="cpu")  # also when imported under "meta"


def is_letter(ids: Tensor) -> Tensor:
    """Whether each id is a letter. Shapes: ids and result (B, T)."""
    return _IS_LETTER.to(ids.device)[ids]


def begins_patch(ids: Tensor, letter: Tensor, max_patch_size: int) -> Tensor:
    """Whether a patch begins at each position, from ids and whether each is a letter. Shapes: all (B, T)."""
    B, T = ids.shape
    begins = torch.zeros(B, T, dtype=torch.bool, device=ids.device)
    begins[:, 0] = True
    begins[:, 1:] = ids[:, :-1] == END
    begins[:, 2:] |= ~letter[:, 1:-1] & letter[:, :-2]
    position = torch.arange(T, device=ids.device)
    word_start = torch.where(begins, position, 0).cummax(1).values
    return (position - word_start) % max_patch_size == 0


def documents(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The number, within its row, of each position's document, and where that document begins. An END ends its document. Shapes: all (B, T)."""
    is_end = (ids == END).long()
    past_end = is_end * torch.arange(1, ids.size(1) + 1, device=ids.device)
    return is_end.cumsum(1) - is_end, F.pad(past_end[:, :-1], (1, 0)).cummax(1).values
