"""Which words of a document may be repeated next: those that continue the word so far, and hints that the pointer weighs for each of them.

Shapes: B rows, T positions, K patches of the longest row, M = K words of the context: word i is the one that ends
where patch i starts, and patch i and later ones may copy it. All of it is causal, as in read.py.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.model.words.cut import documents
from tavu.model.words.read import WordFeatures, pad_to_size
from tavu.vocabulary import MARK_ID


@dataclass(frozen=True)
class Repeats:
    """Pairs of a position and an earlier word of the document that starts with the same letters as the position's word so far.

    Shapes: all (R,), one for each pair.
    """

    position: Tensor
    """Index into the flattened positions."""
    word: Tensor
    """Which patch of the row it is."""
    next_id: Tensor
    """The id that follows if the word is repeated: its next letter, or the id after its letters."""

    def padded(self) -> "Repeats":
        """The same repeats, padded by zeros to one of a few sizes: the first position repeats word 0, of which it knows nothing."""
        return Repeats(*pad_to_size(self.position, self.word, self.next_id))


def find_repeats(ids: Tensor, features: WordFeatures, first: int = 0) -> Repeats:
    """The repeats at positions first..T - 1 of ids (B, T), flattened: position t of row b is b * (T - first) + t - first."""
    T, start, first_letter = ids.size(1), features.start, features.first_letter
    patch, prefix = features.patch[:, first:], features.prefix[:, first:]
    num_letters = (torch.arange(first, T, device=ids.device) - first_letter.gather(1, patch)).clamp(min=0)  # (B, T), of the patch so far
    place = first_letter[:, None] + num_letters[..., None]  # (B, T, K): where each word would continue
    inside = place.clamp(max=T - 1)
    end = F.pad(start[:, 1:], (0, 1), value=T)
    same_prefix = features.prefix.gather(1, inside.flatten(1)).view(place.shape) == prefix[..., None]
    is_before = torch.arange(start.size(1), device=ids.device) < patch[..., None]
    document, _ = documents(ids)
    same_document = document.gather(1, start.clamp(max=T - 1))[:, None] == document[:, first:, None]
    row, t, word = (same_prefix & is_before & same_document & (place < end[:, None])).nonzero(as_tuple=True)
    return Repeats(row * (T - first) + t, word, ids[row, inside[row, t, word]])


def find_hints(ids: Tensor, features: WordFeatures) -> Tensor:
    """What hints, at each patch, that each word before it comes next: 1 or 0, (B, K, 2, M), of NUM_HINTS:

    - The word follows the same word as the one just written, earlier in the document (what induction heads look for, Olsson et al. 2022,
      arXiv 2209.11895).
    - The word is requested: it stands before the last MARK_ID of the document (data/records.py) and has not been written since.
    """
    T, start = ids.size(1), features.start
    begin = start.clamp(max=T - 1)
    position = torch.arange(T, device=ids.device)
    document, document_begin = documents(ids)
    mark = torch.where(ids == MARK_ID, position, -1).cummax(1).values  # the last one up to each position
    mark = F.pad(mark[:, :-1], (1, 0), value=-1).gather(1, begin)  # (B, K): before each patch
    mark = torch.where(mark >= document_begin.gather(1, begin), mark, -1)
    document = document.gather(1, begin)  # (B, K): of each patch
    of_word, word_start = F.pad(document[:, :-1], (1, 0), value=-1), F.pad(start[:, :-1], (1, 0), value=-1)  # (B, M): of the word before each patch
    is_known = (document[:, :, None] == of_word[:, None]).tril()  # (B, K, M): of the same document, and before the patch
    equal = features.last_word[:, :, None] == features.last_word[:, None]
    follows = F.pad(equal[:, :, :-1] & (of_word[:, None, 1:] == of_word[:, None, :-1]), (1, 0))
    requested = word_start[:, None] <= mark[:, :, None]
    in_completion = (word_start > mark) & (mark >= 0)  # (B, K): the word before each patch
    written_here = (equal & in_completion[:, :, None] & (of_word[:, :, None] == of_word[:, None])).tril(-1)
    written = written_here.byte().cummax(1).values.bool()
    return (torch.stack((follows, requested & ~written), dim=2) & is_known[:, :, None]).float()
